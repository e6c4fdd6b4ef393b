// @ts-check
import { plan } from "./plan.js";
import { HYBRID } from "./plans.js";

/** Edgemint has none of these response types. */
const WITHOUT = ["Edgemint"];

plan("Hybrid", HYBRID, { without: WITHOUT });
