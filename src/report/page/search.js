"use strict";
const search = document.getElementById("search");
const through = document.getElementById("through");
const left = document.getElementById("left");
const rows = Array.from(document.querySelectorAll("tbody tr"));
const texts = rows.map((row) => row.textContent.toLowerCase());
function show() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  rows.forEach((row, at) => {
    const hidden = !words.every((word) => texts[at].includes(word))
      || (!through.checked && row.classList.contains("let-through"));
    row.hidden = hidden;
    shown += hidden ? 0 : 1;
  });
  left.textContent = shown + " of " + rows.length;
}
search.addEventListener("input", show);
through.addEventListener("change", show);
document.getElementById("tools").hidden = false;
show();
