// @ts-check
// `oidcc-formpost-basic-…`, `-implicit-…` and `-hybrid-certification-test-plan`.
import { plan } from "./plan.js";
import { BASIC, HYBRID, IMPLICIT, byFormPost } from "./plans.js";

plan("Form Post", byFormPost([...BASIC, ...IMPLICIT, ...HYBRID]));
