// @ts-check
import { plan } from "./plan.js";
import { BASIC } from "./plans.js";

plan("Basic", BASIC);
