// A map of many pictures on a canvas: tens of thousands of points stay smooth, and near ones become the pictures themselves.
"use strict";
window.studioMap = (canvas, tip, legend, points, { addressOf, open, other, none }) => {
  const COLOURS = ["#0e7a86", "#d0803a", "#6a5fb0", "#2c8a57", "#b23a31", "#3f7fc8", "#a8558f", "#8a7a2b", "#1fa0a0", "#c2589b", "#6f8f2f", "#7a6a5a"];
  const GREY = "#9aa0a8";
  const SHOWN_MAX = 140;   // so few points in sight are drawn as pictures
  const GRID = 200;        // cells on a side, for finding the point under the pointer
  const count = points.x.length;
  const pen = canvas.getContext("2d");
  const seen = { x: 0, y: 0, scale: 1 };
  const pictures = new Map();
  let hidden = new Set(), hovered = -1, isQueued = false, size = { width: 1, height: 1, ratio: 1 };

  // ---- labels: the most frequent have a colour of their own
  const counts = new Array(points.labels.length).fill(0);
  let unlabelled = 0;
  for (const label of points.label) if (label < 0) unlabelled += 1; else counts[label] += 1;
  const ranked = counts.map((_, label) => label).sort((a, b) => counts[b] - counts[a]);
  const colourOf = new Array(points.labels.length).fill(GREY);
  ranked.slice(0, COLOURS.length).forEach((label, place) => { colourOf[label] = COLOURS[place]; });
  const groups = ranked.slice(0, COLOURS.length).map((label) => ({ name: points.labels[label], size: counts[label], colour: colourOf[label], members: [] }));
  const rest = { name: groups.length ? other : none, size: 0, colour: groups.length ? GREY : COLOURS[0], members: [] };
  const placeOf = new Map(ranked.slice(0, COLOURS.length).map((label, place) => [label, place]));
  const groupOf = new Int16Array(count);
  for (let row = 0; row < count; row += 1) {
    const place = placeOf.get(points.label[row]);
    groupOf[row] = place ?? groups.length;
    (place === undefined ? rest : groups[place]).members.push(row);
  }
  rest.size = rest.members.length;
  if (rest.size) groups.push(rest);

  // ---- a grid over the plane
  const cells = Array.from({ length: GRID * GRID }, () => []);
  const cellOf = (value) => Math.min(GRID - 1, Math.max(0, Math.floor(((value + 1) / 2) * GRID)));
  for (let row = 0; row < count; row += 1) cells[cellOf(points.y[row]) * GRID + cellOf(points.x[row])].push(row);

  // ---- plane and canvas
  // The axes of such a map mean nothing, so the plane is stretched to the shape of the canvas.
  const unit = () => (Math.min(size.width, size.height) / 2.15) * seen.scale;
  const stretch = () => Math.min(1.9, Math.max(1, size.width / size.height));
  const toX = (x) => size.width / 2 + (x - seen.x) * unit() * stretch();
  const toY = (y) => size.height / 2 - (y - seen.y) * unit();
  const fromX = (px) => (px - size.width / 2) / unit() / stretch() + seen.x;
  const fromY = (py) => seen.y - (py - size.height / 2) / unit();
  const isVisible = (row) => !hidden.has(groupOf[row]);

  function queue() {
    if (isQueued) return;
    isQueued = true;
    requestAnimationFrame(() => { isQueued = false; paint(); });
  }

  function paint() {
    pen.setTransform(size.ratio, 0, 0, size.ratio, 0, 0);
    pen.clearRect(0, 0, size.width, size.height);
    const side = Math.max(1.5, Math.min(8, 2.6 * Math.sqrt(4000 / Math.max(count, 400)) * Math.sqrt(seen.scale)));
    const near = inSight(SHOWN_MAX);
    groups.forEach((group, place) => {
      if (hidden.has(place)) return;
      pen.fillStyle = group.colour;
      pen.globalAlpha = near ? 0.35 : 0.75;
      for (const row of group.members) {
        const x = toX(points.x[row]), y = toY(points.y[row]);
        if (x > -9 && y > -9 && x < size.width + 9 && y < size.height + 9) pen.fillRect(x - side / 2, y - side / 2, side, side);
      }
    });
    pen.globalAlpha = 1;
    if (near) {
      const sidePx = Math.min(96, Math.max(30, 0.42 * Math.sqrt((size.width * size.height) / Math.max(near.length, 1))));
      near.forEach((row) => paintPicture(row, sidePx));
    }
    if (hovered >= 0 && isVisible(hovered)) {
      pen.strokeStyle = getComputedStyle(canvas).color;
      pen.lineWidth = 2;
      pen.strokeRect(toX(points.x[hovered]) - 7, toY(points.y[hovered]) - 7, 14, 14);
    }
    if (document.activeElement === canvas && canvas.matches(":focus-visible")) {
      pen.strokeStyle = getComputedStyle(canvas).color;
      pen.lineWidth = 1;
      pen.strokeRect(size.width / 2 - 9.5, size.height / 2 - 9.5, 19, 19);
    }
  }

  /** Rows in sight, or null when there are more than `most`. */
  function inSight(most) {
    const rows = [];
    const [left, right] = [cellOf(fromX(0)), cellOf(fromX(size.width))], [low, high] = [cellOf(fromY(size.height)), cellOf(fromY(0))];
    for (let y = low; y <= high; y += 1) {
      for (let x = left; x <= right; x += 1) {
        for (const row of cells[y * GRID + x]) {
          if (!isVisible(row)) continue;
          rows.push(row);
          if (rows.length > most) return null;
        }
      }
    }
    return rows;
  }

  function paintPicture(row, sidePx) {
    const id = points.image_ids[row];
    let picture = pictures.get(id);
    if (!picture) {
      picture = new Image();
      picture.onload = queue;
      picture.src = addressOf(id);
      pictures.set(id, picture);
      if (pictures.size > 2000) pictures.delete(pictures.keys().next().value);
    }
    if (!picture.complete || !picture.naturalWidth) return;
    const scale = sidePx / Math.max(picture.naturalWidth, picture.naturalHeight);
    const width = picture.naturalWidth * scale, height = picture.naturalHeight * scale;
    const x = toX(points.x[row]) - width / 2, y = toY(points.y[row]) - height / 2;
    pen.drawImage(picture, x, y, width, height);
    pen.strokeStyle = groups[groupOf[row]].colour;
    pen.lineWidth = 1.5;
    pen.strokeRect(x, y, width, height);
  }

  function nearest(px, py, reachPx) {
    const x = fromX(px), y = fromY(py), reach = reachPx / unit();
    let best = -1, bestSquare = reach * reach;
    for (let cy = cellOf(y - reach); cy <= cellOf(y + reach); cy += 1) {
      for (let cx = cellOf(x - reach); cx <= cellOf(x + reach); cx += 1) {
        for (const row of cells[cy * GRID + cx]) {
          const square = ((points.x[row] - x) * stretch()) ** 2 + (points.y[row] - y) ** 2;
          if (square < bestSquare && isVisible(row)) { best = row; bestSquare = square; }
        }
      }
    }
    return best;
  }

  function hover(row) {
    if (row === hovered) return;
    hovered = row;
    tip.hidden = row < 0;
    if (row >= 0) {
      const shown = document.createElement("img");
      shown.src = addressOf(points.image_ids[row]);
      shown.alt = "";
      const label = document.createElement("span");
      label.textContent = points.labels[points.label[row]] ?? "";
      tip.replaceChildren(shown, label);
      const x = toX(points.x[row]), y = toY(points.y[row]);
      tip.style.left = `${Math.min(size.width - 130, Math.max(4, x + 14))}px`;
      tip.style.top = `${Math.min(size.height - 150, Math.max(4, y - 60))}px`;
    }
    queue();
  }

  function zoom(factor, px = size.width / 2, py = size.height / 2) {
    const x = fromX(px), y = fromY(py);
    seen.scale = Math.min(400, Math.max(0.6, seen.scale * factor));
    seen.x += x - fromX(px);
    seen.y += y - fromY(py);
    hover(-1);
    queue();
  }

  // ---- hands
  const placeIn = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  let grip;
  canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); grip = { at: placeIn(event), moved: 0 }; });
  canvas.addEventListener("pointermove", (event) => {
    const [px, py] = placeIn(event);
    if (!grip) { hover(nearest(px, py, 12)); return; }
    grip.moved += Math.abs(px - grip.at[0]) + Math.abs(py - grip.at[1]);
    seen.x -= (px - grip.at[0]) / unit() / stretch();
    seen.y += (py - grip.at[1]) / unit();
    grip.at = [px, py];
    hover(-1);
    queue();
  });
  canvas.addEventListener("pointerup", (event) => {
    const wasClick = grip && grip.moved < 5;
    grip = undefined;
    const row = wasClick ? nearest(...placeIn(event), 16) : -1;
    if (row >= 0) open(points.image_ids[row]);
  });
  canvas.addEventListener("pointerleave", () => hover(-1));
  canvas.addEventListener("wheel", (event) => { event.preventDefault(); zoom(Math.exp(-event.deltaY * 0.0016), ...placeIn(event)); }, { passive: false });
  canvas.addEventListener("dblclick", (event) => zoom(2, ...placeIn(event)));
  canvas.addEventListener("keydown", (event) => {
    const step = 40 / unit();
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] }[event.key];
    if (moves) { seen.x += moves[0]; seen.y += moves[1]; }
    else if (event.key === "+" || event.key === "=") zoom(1.4);
    else if (event.key === "-") zoom(1 / 1.4);
    else if (event.key === "Home") Object.assign(seen, { x: 0, y: 0, scale: 1 });
    else if (event.key === "Enter") {
      event.preventDefault();  // else the same key would press the button that the opened picture puts the focus on
      const row = nearest(size.width / 2, size.height / 2, size.width + size.height);
      if (row >= 0) open(points.image_ids[row]);
      return;
    }
    else return;
    event.preventDefault();
    hover(nearest(size.width / 2, size.height / 2, 60));
    queue();
  });
  canvas.addEventListener("focus", queue);
  canvas.addEventListener("blur", queue);

  // ---- legend: a click hides and shows
  legend.replaceChildren(...groups.map((group, place) => {
    const item = document.createElement("li"), button = document.createElement("button"), dot = document.createElement("i");
    dot.style.background = group.colour;
    button.type = "button";
    button.setAttribute("aria-pressed", "true");
    button.append(dot, `${group.name} (${group.size.toLocaleString()})`);
    button.addEventListener("click", () => {
      if (hidden.has(place)) hidden.delete(place); else hidden.add(place);
      button.setAttribute("aria-pressed", String(!hidden.has(place)));
      queue();
    });
    item.append(button);
    return item;
  }));

  new ResizeObserver(() => {
    const box = canvas.getBoundingClientRect();
    if (!box.width) return;
    size = { width: box.width, height: box.height, ratio: Math.min(2, devicePixelRatio || 1) };
    canvas.width = Math.round(size.width * size.ratio);
    canvas.height = Math.round(size.height * size.ratio);
    queue();
  }).observe(canvas);
};
