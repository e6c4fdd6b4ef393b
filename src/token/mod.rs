//! Token formats: what is sealed or signed, and the one way to open each.

pub mod access;
pub mod access_jwt;
pub mod client_secret;
pub mod code;
pub mod device;
pub mod handle;
pub mod identity;
pub mod mac;
pub mod mac_token;
pub mod opened;
pub mod passphrase;
pub mod pending;
pub mod refresh;
pub mod resource_key;
pub mod revocations;
pub mod seal;
pub mod session;
pub mod snapshot;

pub use access::{AccessToken, Generations};
pub use code::AuthorizationCode;
pub use device::DeviceCode;
pub use handle::TokenHandle;
pub use identity::Identity;
pub use mac_token::MacToken;
pub use opened::Opened;
pub use pending::{AuthorizationRequest, Departure, DeviceQuestion, Intent, Pending, Prompt};
pub use refresh::RefreshToken;
pub use resource_key::{MalformedKeys, ResourceKeys};
pub use revocations::{FeedAnswer, KEPT, Revocation, Revocations};
pub use seal::{Keyring, Kind, SealRefused, Sealable, Unsealed};
pub use session::SessionHandle;
pub use snapshot::Snapshot;
