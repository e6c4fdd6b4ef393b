// @ts-check
// `oidcc-config-certification-test-plan`.
import { plan } from "./plan.js";

plan("Config", [{ variant: { response_type: "code" }, modules: ["oidcc-discovery-endpoint-verification"] }]);
