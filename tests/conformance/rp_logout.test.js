// @ts-check
// `oidcc-rp-initiated-logout-certification-test-plan`.
import { logout } from "./modules/logout.js";
import { plan } from "./plan.js";

plan("RP-initiated logout", [{ variant: { response_type: "code" }, modules: Object.keys(logout) }]);
