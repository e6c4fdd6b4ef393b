// @ts-check
import { plan } from "./plan.js";
import { CONFIG } from "./plans.js";

plan("Config", CONFIG);
