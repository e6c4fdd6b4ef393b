// @ts-check
import { plan } from "./plan.js";
import { HYBRID } from "./plans.js";

plan("Hybrid", HYBRID);
