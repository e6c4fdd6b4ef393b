// @ts-check
import { plan } from "./plan.js";
import { RP_LOGOUT } from "./plans.js";

plan("RP-initiated logout", RP_LOGOUT);
