// @ts-check
// The coin: a reeded edge around a struck face. Large it is the emblem, small it is a clock.

import { s } from "../dom.js";

/** The emblem, with its legend along the rim. */
export function emblem() {
  const rim = "M100 100m-68 0a68 68 0 1 1 136 0a68 68 0 1 1-136 0";
  return s(
    "svg",
    { class: "emblem", viewBox: "0 0 200 200", "aria-hidden": "true", focusable: "false" },
    s("defs", {}, s("path", { id: "rim", d: rim })),
    s("g", { class: "turning" }, s("circle", { class: "reeds", cx: 100, cy: 100, r: 92, fill: "none", "stroke-width": 12, pathLength: 240, "stroke-dasharray": "1 1" })),
    s("circle", { class: "disc", cx: 100, cy: 100, r: 84 }),
    s("circle", { class: "engraved", cx: 100, cy: 100, r: 79, fill: "none" }),
    s("circle", { class: "engraved", cx: 100, cy: 100, r: 56, fill: "none" }),
    s("text", { class: "legend" }, s("textPath", { href: "#rim", textLength: 420, lengthAdjust: "spacing" }, "MINTED AT THE EDGE · CHECKED IN MEMORY · REVOKED IN SECONDS · ")),
    s("path", { class: "leaf", d: "M74 126c-6-35 17-59 57-56 3 39-22 62-57 56z", fill: "none", "stroke-width": 5, "stroke-linejoin": "round" }),
    s("path", { class: "leaf", d: "M66 134 118 83M87 113V96M87 113h17M101 99.5V86M101 99.5h14", fill: "none", "stroke-width": 3, "stroke-linecap": "round" }),
  );
}

/**
 * A clock whose reeds wear off.
 * @returns {{ node: SVGElement, set: (share: number) => void }}
 */
export function clock() {
  const left = s("circle", { class: "left", cx: 50, cy: 50, r: 42, fill: "none", "stroke-width": 10 });
  const node = s(
    "svg",
    { class: "clock", viewBox: "0 0 100 100", "aria-hidden": "true", focusable: "false" },
    s("circle", { class: "worn", cx: 50, cy: 50, r: 42, fill: "none", "stroke-width": 10, pathLength: 2 * REEDS, "stroke-dasharray": "1 1" }),
    left,
  );
  return {
    node,
    set(share) {
      const reeds = Math.ceil(Math.min(Math.max(share, 0), 1) * REEDS);
      left.setAttribute("pathLength", String(2 * REEDS));
      left.setAttribute("stroke-dasharray", `${"1 1 ".repeat(reeds)}0 ${2 * REEDS}`);
    },
  };
}

const REEDS = 60;
