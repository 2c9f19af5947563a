"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const make = (tag, className = "", text = "") => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== "") node.textContent = text;
    return node;
  };
  const OPERATIONS = ["high-pass", "add", "multiply"];
  const MOST_TOLD = 3; // parts whose numbers stand below a bar
  const COLORS = ["a1", "a2", "a3", "b1", "b2", "b3"];
  const base = (path) => path.split(/[\\/]/).pop();
  const plain = new Intl.Collator(undefined, { numeric: true });
  const format = (value, digits) => (value === null || value === undefined ? "–" : value.toFixed(digits));
  const shown = (column, row) => column.text?.(row) ?? format(column.value(row), column.digits);
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

  // Each step of a fusion has three weights a source. The table shows the first source of a step and all others together,
  // and of several steps the mean; of a network that says where each source gives the most, the parts of the picture.
  const inTwo = (step) => [...step[0], ...OPERATIONS.map((_, i) => step.slice(1).reduce((sum, source) => sum + source[i], 0))];
  const weightsOf = (row) => COLORS.map((_, i) => (row.weights.length ? mean(row.weights.map((step) => inTwo(step)[i])) : null));
  // The colour of a source in a set: from that of the first to that of the last.
  const shade = (place, count) => `color-mix(in oklab, var(--b2) ${(100 * place) / Math.max(1, count - 1)}%, var(--a2))`;
  const percent = (share) => `${(share * 100).toFixed(0)} %`;
  const shareOf = (row) => {
    if (row.parts.length) return row.parts[0];
    const weights = weightsOf(row);
    return weights[0] === null ? null : weights[0] + weights[1] + weights[2];
  };

  // ── Columns ──────────────────────────────────────────────────────────────────────────────────────────────────────
  const unaligned = (row) => row.align.some((source) => source.accepted === false);
  const models = (row) => [...new Set(row.align.map((source) => source.model))].filter((model) => model && model !== "none");
  const aligned = (row) => {
    if (!row.align.length) return "–";
    if (unaligned(row)) return "not aligned";
    const parts = [models(row).join(", ") || "registered", row.residual === null ? "" : `${format(row.residual, 2)} px`];
    return parts.filter(Boolean).join(" · ");
  };
  const noted = (row) => (row.notes.length ? `${row.notes[0]}${row.notes.length > 1 ? ` (and ${row.notes.length - 1} more)` : ""}` : "–");
  const columns = [
    { key: "name", label: "Result", width: "minmax(130px, 1.2fr)", value: (row) => row.name },
    { key: "share", label: data.rows.some((row) => row.parts.length) ? "Parts" : "Weights", width: "minmax(96px, 0.8fr)", value: shareOf },
    ...data.metrics.map((metric) => ({
      key: metric.name, label: `${metric.name} ${metric.arrow}`, width: "68px", digits: 3, better: metric.arrow,
      value: (row) => row.metrics[metric.name] ?? null,
    })),
    // The worst first: what was not aligned at all, then by what is left of the displacement.
    ...(data.rows.some((row) => row.align.length) ? [{ key: "align", label: "Alignment", width: "100px", value: (row) => (unaligned(row) ? Infinity : row.residual), text: aligned }] : []),
    ...(data.rows.some((row) => row.notes.length) ? [{ key: "notes", label: "Notes", width: "minmax(120px, 1.2fr)", value: (row) => row.notes.length, text: noted }] : []),
    { key: "seconds", label: "Seconds", width: "70px", digits: 2, value: (row) => row.seconds },
  ];
  const mostPictures = Math.max(1, ...data.rows.map((row) => row.shown.length + 1));
  const picturesWidth = mostPictures * 96 - 4;
  $("table").style.setProperty("--columns", `minmax(${mostPictures * 68}px, ${picturesWidth}px) ${columns.map((column) => column.width).join(" ")}`);
  $("table").style.setProperty("--least", `${mostPictures * 68 + 226 + 100 * (columns.length - 2)}px`);

  // ── Pictures: text until they come into view ─────────────────────────────────────────────────────────────────────
  const pictures = (index) => $(`p${index}`).textContent.split(" ");
  const source = (text) => `data:image/webp;base64,${text}`;
  const inView = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      inView.unobserve(entry.target);
      const texts = pictures(entry.target.dataset.index);
      entry.target.querySelectorAll("img").forEach((img) => { img.src = source(texts[img.dataset.place]); });
    }
  }, { rootMargin: "400px" });

  // ── Table ────────────────────────────────────────────────────────────────────────────────────────────────────────
  const head = $("head");
  head.append(make("span"));
  head.firstChild.setAttribute("role", "columnheader");
  head.firstChild.append(make("span", "hidden", "Pictures"));
  for (const column of columns) {
    const cell = make("span", column.digits ? "number" : "");
    cell.setAttribute("role", "columnheader");
    const button = make("button", "", column.label);
    button.type = "button";
    button.addEventListener("click", () => sortBy(column));
    cell.append(button);
    head.append(cell);
    column.head = cell;
  }

  if (data.rows.length && data.rows.every((row) => row.parts.length)) $("legend").textContent = "Parts of the picture in which each source gives the most, in the order of the sources";

  const bar = (row) => {
    const cell = make("div");
    const weights = weightsOf(row);
    if (weights[0] === null) { cell.textContent = "–"; return cell; }
    const stack = make("div", "bar");
    const { parts } = row, names = row.weights.some((step) => step.length > 2) ? ["first", "others"] : ["first", "second"];
    const pieces = parts.length
      ? parts.map((part, place) => [base(row.sources[place]), part, shade(place, parts.length)])
      : weights.map((weight, i) => [`${names[i < 3 ? 0 : 1]} ${OPERATIONS[i % 3]}`, weight, `var(--${COLORS[i]})`]);
    for (const [, amount, color] of pieces) {
      const piece = make("i");
      piece.style.width = `${amount * 100}%`;
      piece.style.background = color;
      stack.append(piece);
    }
    stack.setAttribute("role", "img");
    stack.setAttribute("aria-label", pieces.map(([name, amount]) => `${name} ${percent(amount)}`).join(", "));
    stack.title = stack.getAttribute("aria-label");
    const share = make("div", "share"), most = Math.max(...parts);
    const told = !parts.length ? [shareOf(row), 1 - shareOf(row)].map(percent)
      : parts.length <= MOST_TOLD ? parts.map(percent) : [`most: ${base(row.sources[parts.indexOf(most)])}, ${percent(most)}`];
    share.append(...told.map((text) => make("span", "", text)));
    cell.append(stack, share);
    return cell;
  };

  const fact = (column, row) => {
    const cell = make("div", column.digits ? "number" : `told ${column.key}`);
    cell.dataset.label = column.label;
    cell.append(make("span", "", shown(column, row)));
    cell.classList.toggle("empty", cell.textContent === "–");
    if (column.key === "notes") cell.title = row.notes.join("\n");
    if (column.key === "align" && unaligned(row)) cell.classList.add("bad");
    return cell;
  };

  const build = (row, index) => {
    const line = make("div", `row ${row.state}`);
    line.setAttribute("role", "row");
    line.dataset.index = index;
    const cells = [make("div"), make("div", "name"), bar(row)];
    const thumbs = make("button", "thumbs");
    thumbs.type = "button";
    thumbs.setAttribute("aria-label", `Compare ${row.name}`);
    const texts = pictures(index);
    texts.forEach((text, place) => {
      if (text) {
        const img = make("img");
        img.dataset.place = place;
        img.alt = "";
        thumbs.append(img);
      } else {
        thumbs.append(make("i", "", place === row.shown.length && row.state !== "fused" ? row.state : "unreadable"));
      }
    });
    cells[0].append(thumbs);
    cells[1].append(make("strong", "", row.name));
    cells[1].append(make("span", "", row.error ? row.error.message : [row.size, row.sources.length > 2 ? `${row.sources.length} sources` : ""].filter(Boolean).join(" · ")));
    for (const column of columns.slice(2)) cells.push(fact(column, row));
    for (const cell of cells) { cell.setAttribute("role", "cell"); line.append(cell); }
    line.addEventListener("click", () => open(index));
    inView.observe(line);
    return line;
  };
  const lines = data.rows.map(build);
  let order = lines.map((_, index) => index);
  $("rows").append(...lines);

  let sorted = { column: null, direction: 1 };
  function sortBy(column) {
    const first = column.better === "↑" || ["seconds", "align", "notes"].includes(column.key) ? -1 : 1;
    const direction = sorted.column === column ? -sorted.direction : first;
    sorted = { column, direction };
    const values = data.rows.map(column.value);
    order.sort((one, other) => {
      const a = values[one], b = values[other];
      if (a === null || b === null) return (a === null) - (b === null) || one - other; // blanks stay at the end
      const difference = typeof a === "string" ? plain.compare(a, b) : a - b;
      return difference * direction || one - other;
    });
    for (const each of columns) each.head.removeAttribute("aria-sort");
    column.head.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
    $("rows").append(...order.map((index) => lines[index]));
  }

  // ── Find and filter ──────────────────────────────────────────────────────────────────────────────────────────────
  const states = ["fused", "failed", "unfinished"].filter((state) => data.rows.some((row) => row.state === state));
  let wanted = "all";
  for (const state of states.length > 1 ? ["all", ...states] : []) {
    const label = make("label");
    const input = make("input");
    input.type = "radio";
    input.name = "state";
    input.value = state;
    input.checked = state === "all";
    input.addEventListener("change", () => { wanted = state; filter(); });
    label.append(input, make("span", "", state[0].toUpperCase() + state.slice(1)));
    $("states").append(label);
  }
  function filter() {
    const text = $("find").value.trim().toLowerCase();
    let shown = 0;
    data.rows.forEach((row, index) => {
      const fits = (wanted === "all" || row.state === wanted) && row.name.toLowerCase().includes(text);
      lines[index].hidden = !fits;
      shown += fits;
    });
    $("count").textContent = shown === lines.length ? `${shown} results` : `${shown} of ${lines.length}`;
    $("none").hidden = shown > 0;
  }
  $("find").addEventListener("input", filter);
  filter();

  // ── Viewer ───────────────────────────────────────────────────────────────────────────────────────────────────────
  const viewer = $("viewer"), slider = $("slider"), stage = $("stage");
  let current = 0, chosen = 0;
  const visible = () => order.filter((index) => !lines[index].hidden);
  const move = () => {
    stage.style.setProperty("--x", `${slider.value}%`);
    slider.setAttribute("aria-valuetext", `${Math.round(slider.value)} % source`);
  };
  slider.addEventListener("input", move);

  function choose(place) {
    const row = data.rows[current];
    if (place >= row.shown.length) return;
    chosen = place;
    const texts = pictures(current);
    const result = texts[row.shown.length];
    const comparable = Boolean(result && texts[place]);
    stage.hidden = !comparable;
    $("blank").hidden = comparable;
    if (comparable) {
      $("over").src = source(texts[place]);
      $("under").src = source(result);
    } else {
      $("blank").textContent = row.error ? `${row.error.message}${row.error.hint ? ` — ${row.error.hint}` : ""}` : "The file can no longer be read.";
    }
    $("label-left").textContent = labels(row)[place] ?? "";
    [...$("tabs").children].forEach((tab, i) => tab.setAttribute("aria-pressed", i === place));
  }

  const parent = (path) => path.split(/[\\/]/).slice(-2, -1)[0] ?? "";
  const labels = (row) => {
    const names = row.shown.map((index) => base(row.sources[index]));
    // vis/1.png and ir/1.png are told apart by their folders.
    return new Set(names).size === names.length ? names : row.shown.map((index) => `${parent(row.sources[index])}/${base(row.sources[index])}`);
  };

  function meter(name, value, color) {
    const line = make("div", "meter");
    const track = make("span", "track");
    const fill = make("i");
    fill.style.background = color;
    fill.style.width = `${value * 100}%`;
    track.append(fill);
    line.append(make("span", "", name), track, make("b", "", `${(value * 100).toFixed(1)} %`));
    return line;
  }

  function open(index) {
    current = index;
    const row = data.rows[index];
    $("viewer-name").textContent = row.name;
    $("viewer-why").textContent = row.why;
    $("tabs").replaceChildren(...labels(row).map((name, place) => {
      const tab = make("button", "", name);
      tab.type = "button";
      tab.title = row.sources[row.shown[place]];
      tab.addEventListener("click", () => choose(place));
      return tab;
    }));
    $("weights").replaceChildren(...row.weights.map((step, number) => {
      const block = make("div", "step");
      if (row.weights.length > 1) block.append(make("p", "muted", `Fusion ${number + 1} of ${row.weights.length}`));
      step.forEach((source, place) => source.forEach((weight, i) => {
        const name = step.length > 2 ? `source ${place + 1}` : ["first", "second"][place];
        block.append(meter(`${name}, ${OPERATIONS[i]}`, weight, `var(--${COLORS[i + (place ? 3 : 0)]})`));
      }));
      return block;
    }));
    if (!row.weights.length) $("weights").textContent = "–";
    $("parts").replaceChildren(...row.parts.map((part, place) => meter(base(row.sources[place]), part, shade(place, row.parts.length))));
    $("parts").parentElement.hidden = !row.parts.length;
    const facts = columns.slice(2).filter((column) => column.key !== "notes").map((column) => [column.label, shown(column, row)]);
    for (const [stage, seconds] of Object.entries(row.stages)) facts.push([`  ${stage}`, format(seconds, 3)]);
    if (row.size) facts.push(["Size", `${row.size}, ${row.depth} bit`]);
    $("measured").replaceChildren(...facts.flatMap(([name, value]) => [make("dt", "", name), make("dd", "", value)]));
    $("files").replaceChildren(...row.sources.map((path, i) => make("li", i + 1 === row.reference ? "reference" : "", path)));
    if (row.state === "fused") {
      const link = make("a", "", "result in full size");
      link.href = row.link;
      const item = make("li");
      item.append(link);
      item.style.listStyle = "none";
      $("files").append(item);
    }
    $("notes").replaceChildren(...row.notes.map((note) => make("li", "", note)));
    const list = visible(), place = list.indexOf(index);
    $("before").disabled = place <= 0;
    $("after").disabled = place < 0 || place === list.length - 1;
    choose(Math.min(chosen, Math.max(0, row.shown.length - 1)));
    if (!viewer.open) { slider.value = 50; move(); viewer.showModal(); slider.focus({ focusVisible: false }); }
  }

  function step(by) {
    const list = visible(), next = list[list.indexOf(current) + by];
    if (next !== undefined) open(next);
  }
  $("before").addEventListener("click", () => step(-1));
  $("after").addEventListener("click", () => step(1));
  $("close").addEventListener("click", () => viewer.close());
  viewer.addEventListener("click", (event) => { if (event.target === viewer) viewer.close(); });
  viewer.addEventListener("close", () => {
    lines[current].scrollIntoView({ block: "nearest" });
    lines[current].querySelector("button").focus();
  });
  // On the document: focus leaves a slider that is hidden because a file cannot be shown.
  document.addEventListener("keydown", (event) => {
    if (!viewer.open || event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.toLowerCase();
    if (key === "j") step(1);
    else if (key === "k") step(-1);
    else if (key >= "1" && key <= "9") choose(Number(key) - 1);
    else if ((key === "arrowleft" || key === "arrowright") && document.activeElement !== slider) slider.focus();
    else return;
    if (key.startsWith("arrow")) slider.value = Number(slider.value) + (key === "arrowleft" ? -2 : 2), move();
    event.preventDefault();
  });

  // ── Summary ──────────────────────────────────────────────────────────────────────────────────────────────────────
  const run = data.run;
  const failed = data.rows.filter((row) => row.state === "failed");
  const fused = data.rows.filter((row) => row.state === "fused");
  const seconds = fused.map((row) => row.seconds).filter((value) => value !== null).sort((a, b) => a - b);
  const leftovers = run.leftovers ?? [];
  $("subtitle").textContent = [new Date(run.time).toLocaleString(), `model ${run.model ?? "?"}`, `paired by ${run.rule ?? "?"}`, data.runs > 1 ? `${data.runs} runs` : ""].filter(Boolean).join(" · ");
  const tile = (name, value, bad) => {
    const box = make("div", bad ? "bad" : "");
    box.append(make("dt", "", name), make("dd", "", value));
    $("tiles").append(box);
  };
  tile("fused", String(fused.length));
  tile("failed", String(failed.length), failed.length > 0);
  if (leftovers.length) tile(leftovers.length === 1 ? "file left over" : "files left over", String(leftovers.length));
  if (seconds.length) tile("seconds each, median", format(seconds[seconds.length >> 1], 2));
  for (const metric of data.metrics) {
    const values = fused.map((row) => row.metrics[metric.name]).filter((value) => value !== undefined);
    if (values.length) tile(`${metric.name} ${metric.arrow}, mean`, format(mean(values), 3));
  }
  if (failed.length) {
    $("failures").hidden = false;
    $("failures-title").textContent = failed.length === 1 ? "One failed" : `${failed.length} failed`;
    for (const row of failed) {
      const item = make("li");
      item.append(make("b", "", row.name), make("span", "", row.error.message));
      if (row.error.hint) item.append(make("span", "hint", ` — ${row.error.hint}`));
      $("failures").querySelector("ul").append(item);
    }
  }
  const flat = (value, prefix) => (value !== null && typeof value === "object" && !Array.isArray(value)
    ? Object.entries(value).flatMap(([name, inner]) => flat(inner, prefix ? `${prefix}.${name}` : name))
    : [[prefix, Array.isArray(value) ? JSON.stringify(value) : String(value ?? "–")]]);
  const ran = fused.length ? data.rows.find((row) => row.state === "fused") : null;
  const facts = { folder: data.folder, model: run.model, "model SHA-256": run.model_sha256, options: run.options, engine: { ...run.engine, ...(ran?.engine ?? {}) }, versions: data.versions, "report made": data.made };
  for (const [name, value] of flat(facts, "")) $("facts").append(make("dt", "", name), make("dd", "", value));
  if (leftovers.length) {
    $("leftovers").hidden = false;
    $("leftovers").querySelector("summary").textContent = `${leftovers.length} ${leftovers.length === 1 ? "file" : "files"} left over`;
    for (const left of leftovers) $("leftovers").querySelector("ul").append(make("li", "", `${left.path}: ${left.reason}`));
  }
})();
