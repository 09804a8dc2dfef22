"use strict";
// Sorting, filtering, pointing and copying. Without this the page shows the same, in its own order.
(() => {
  const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));
  document.documentElement.classList.add("scripted");

  const valueOf = (row, place, isNumber) => {
    const cell = row.cells[place];
    if (isNumber) return cell.dataset.sort === undefined ? null : Number(cell.dataset.sort);
    const text = (cell.dataset.sort ?? cell.textContent).trim();
    return text === "" || text === "-" ? null : text;
  };

  // Missing values come last, whichever way is up; equal ones keep their order.
  const sort = (table, place, isUp) => {
    const isNumber = table.tHead.rows[0].cells[place].dataset.kind === "number";
    const body = table.tBodies[0];
    const rows = Array.from(body.rows).map((row) => ({ row, value: valueOf(row, place, isNumber) }));
    const compare = isNumber ? (a, b) => a - b : new Intl.Collator("en", { numeric: true }).compare;
    rows.sort((a, b) => {
      if (a.value === null || b.value === null) return (a.value === null) - (b.value === null);
      return isUp ? compare(a.value, b.value) : compare(b.value, a.value);
    });
    body.append(...rows.map(({ row }) => row));
  };

  for (const table of all("table.sortable")) {
    const heads = Array.from(table.tHead.rows[0].cells);
    heads.forEach((head, place) => {
      if (head.textContent.trim() === "") return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const isUp = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", isUp ? "ascending" : "descending");
        sort(table, place, isUp);
      });
    });
  }

  const filter = (id) => {
    const table = document.getElementById(id);
    const words = (document.querySelector(`[data-filters="${id}"]`)?.value ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    const state = document.querySelector(`[data-states="${id}"]`)?.value ?? "";
    const rows = Array.from(table.tBodies[0].rows);
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !(words.every((word) => text.includes(word)) && (state === "" || row.dataset.state === state));
    }
    const told = document.querySelector(`[data-shown="${id}"]`);
    const shown = rows.filter((row) => !row.hidden).length;
    if (told) told.textContent = shown === rows.length ? `${shown} shown` : `${shown} of ${rows.length} shown`;
  };
  for (const field of all("[data-filters]")) field.addEventListener("input", () => filter(field.dataset.filters));
  for (const field of all("[data-states]")) field.addEventListener("change", () => filter(field.dataset.states));

  // A point that is hovered or focused is told beside its figure, and marked in the table.
  const rows = new Map(all("#candidates tbody tr").map((row) => [row.dataset.name, row]));
  const point = (mark) => {
    const told = (mark.closest(".figures") ?? mark.closest(".figure"))?.querySelector(".pointed");
    if (told) told.textContent = mark.querySelector("title")?.textContent ?? "";
    all(".pointed-at").forEach((row) => row.classList.remove("pointed-at"));
    rows.get(mark.dataset.name)?.classList.add("pointed-at");
  };
  for (const mark of all(".point")) {
    mark.addEventListener("pointerenter", () => point(mark));
    mark.addEventListener("focus", () => point(mark));
    const go = () => {
      const row = rows.get(mark.dataset.name);
      if (!row) return;
      row.hidden = false;
      row.tabIndex = -1;
      row.focus({ preventScroll: true });
      row.scrollIntoView({ block: "center" });
    };
    mark.addEventListener("click", go);
    mark.addEventListener("keydown", (event) => {
      if (event.key === "Enter") go();
    });
  }

  // One stop of the tab key a figure: the arrow keys lead from point to point, by place.
  for (const figure of all("svg")) {
    const placeOf = (mark) => {
      const { cx, cy } = mark.querySelector("circle")?.attributes ?? {};
      return [Number(cx?.value), Number(cy?.value)];
    };
    const marks = all(".point", figure)
      .map((mark) => ({ mark, place: placeOf(mark) }))
      .sort((a, b) => a.place[0] - b.place[0] || a.place[1] - b.place[1])
      .map(({ mark }) => mark);
    if (figure.closest(".race")) marks.sort((a, b) => placeOf(a)[1] - placeOf(b)[1]);
    let stop = marks.find((mark) => rows.get(mark.dataset.name)?.classList.contains("choice")) ?? marks[0];
    marks.forEach((mark, place) => {
      mark.setAttribute("tabindex", mark === stop ? "0" : "-1");
      mark.addEventListener("focus", () => {
        stop.setAttribute("tabindex", "-1");
        stop = mark;
        stop.setAttribute("tabindex", "0");
      });
      mark.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        const next = { Home: marks[0], End: marks.at(-1) }[event.key] ?? (step && marks[place + step]);
        if (step || next) event.preventDefault();
        next?.focus();
      });
    });
  }

  for (const place of all(".command")) {
    if (!navigator.clipboard) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(place.querySelector("code").textContent);
      button.textContent = "Copied";
    });
    place.append(button);
  }
})();
