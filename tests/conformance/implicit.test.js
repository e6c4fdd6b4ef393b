// @ts-check
import { plan } from "./plan.js";
import { IMPLICIT } from "./plans.js";

plan("Implicit", IMPLICIT);
