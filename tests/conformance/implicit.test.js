// @ts-check
import { plan } from "./plan.js";
import { IMPLICIT } from "./plans.js";

/** Edgemint has none of these response types. */
const WITHOUT = ["Edgemint"];

plan("Implicit", IMPLICIT, { without: WITHOUT });
