// The page of the pictures: keeps what is asked, shows what the HTTP API answers. Nothing is built from text as markup.
(() => {
  "use strict";
  const API = "/api/v1/images";
  const TABS = ["search", "map", "clusters", "duplicates"];
  const HITS = 24;
  const RETRY_MS = 2000;
  const one = (selector, root = document) => root.querySelector(selector);

  // ---- small tools -------------------------------------------------------------------------------------------
  /** An element with properties and children; text is always text. */
  function make(name, properties = {}, ...children) {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(properties)) {
      if (value === undefined || value === null || value === false) continue;
      if (key === "class") node.className = value;
      else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
      else if (key in node && key !== "list" && key !== "role") node[key] = value;
      else node.setAttribute(key, value === true ? "" : value);
    }
    node.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return node;
  }

  let words = {};
  const say = (key, values = {}) =>
    (words[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  const number = (value) => Number(value).toLocaleString(document.documentElement.lang || "en");
  const milliseconds = (value) => (value < 100 ? `${value.toFixed(1)} ms` : `${number(Math.round(value))} ms`);
  const titleOf = (picture) => picture.name || picture.label || picture.image_id;

  async function ask(path, { method = "GET", body, parameters = {} } = {}) {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(parameters)) if (value !== "" && value != null) query.append(name, value);
    const address = `${API}${path}${query.size ? `?${query}` : ""}`;
    let answer;
    try {
      answer = await fetch(address, { method, body });
    } catch {
      throw { code: "lost", message: "", hint: "" };
    }
    const value = await answer.json().catch(() => ({ code: "internal", message: answer.statusText, hint: "" }));
    if (!answer.ok) throw value;
    return value;
  }

  const fileAddress = (id, what) => {
    const kept = state.collection ? `?collection=${encodeURIComponent(state.collection)}` : "";
    return `${API}/${encodeURIComponent(id)}/${what}${kept}`;
  };

  // ---- state, and its address --------------------------------------------------------------------------------
  const state = { tab: "search", collection: "", label: "", source: "", text: "", crop: null, examples: [], method: "kmeans" };
  const known = { collections: [] };
  let root;

  function readAddress() {
    const given = new URLSearchParams(location.search);
    state.tab = TABS.includes(given.get("tab")) ? given.get("tab") : "search";
    for (const name of ["collection", "label", "source", "text"]) state[name] = given.get(name) ?? "";
    const numbers = (given.get("crop") ?? "").split(",").map(Number);
    state.crop = numbers.length === 4 && numbers.every(Number.isFinite) ? numbers : null;
    const files = state.examples.filter((example) => example.file);
    state.examples = [
      ...files,
      ...given.getAll("like").map((id) => ({ id, isLiked: true })),
      ...given.getAll("unlike").map((id) => ({ id, isLiked: false })),
    ];
  }

  function writeAddress({ isNew = true } = {}) {
    const query = new URLSearchParams();
    if (state.tab !== "search") query.set("tab", state.tab);
    for (const name of ["collection", "label", "source", "text"]) if (state[name]) query.set(name, state[name]);
    if (state.crop && !state.examples.some((example) => example.file)) query.set("crop", state.crop.join(","));
    for (const example of state.examples) if (example.id) query.append(example.isLiked ? "like" : "unlike", example.id);
    const address = query.size ? `${location.pathname}?${query}` : location.pathname;
    if (address !== location.pathname + location.search) history[isNew ? "pushState" : "replaceState"](null, "", address);
  }

  const liked = () => state.examples.filter((example) => example.isLiked);
  const canCrop = () => liked().length === 1 && !state.text;
  const isAsked = () => liked().length > 0 || state.text !== "";

  // ---- notices -----------------------------------------------------------------------------------------------
  function notice(problem) {
    const isPassing = ["start", "unreachable", "timed_out", "lost", "rate_limited"].includes(problem.code);
    const title = words[`title:${problem.code}`] ?? words["title:other"];
    return make("div", { class: `notice ${isPassing ? "is-passing" : "is-error"}`, role: "alert", "data-code": problem.code },
      make("p", { class: "notice-title" }, title),
      problem.message ? make("p", { class: "notice-text" }, problem.message) : null,
      problem.hint ? make("p", { class: "notice-hint" }, problem.hint) : null);
  }

  /** Shows the problem; what only passes is tried again by itself, as long as nothing else was asked. */
  function failed(place, problem, again, isCurrent) {
    if (typeof problem?.code !== "string") throw problem;
    place.replaceChildren(problem.code === "not_found" && !known.collections.length ? emptyShelf(problem) : notice(problem));
    if (["start", "unreachable", "lost", "rate_limited", "timed_out"].includes(problem.code)) {
      setTimeout(() => isCurrent() && again(), RETRY_MS);
    }
  }

  function emptyShelf(problem) {
    return make("div", { class: "none" },
      make("p", { class: "none-title" }, say("none_yet")),
      make("p", { class: "quiet" }, say("none_yet_hint")),
      make("pre", {}, "milvuslab image load-samples"),
      problem.hint ? make("p", { class: "unseen" }, problem.hint) : null);
  }

  const turns = {};
  function turnOf(name) {
    const turn = (turns[name] = (turns[name] ?? 0) + 1);
    return () => turns[name] === turn;
  }
  const busy = (on) => document.documentElement.classList.toggle("is-busy", on);

  // ---- search ------------------------------------------------------------------------------------------------
  async function search() {
    const isCurrent = turnOf("search");
    const place = one("#image-results");
    showExamples();
    if (state.tab !== "search") return;
    busy(true);
    try {
      if (!known.collections.length) await refresh();
      if (!isAsked()) {
        one("#image-classes").replaceChildren();
        const found = await ask("", { parameters: { limit: HITS, label: state.label, source: state.source, collection: state.collection } });
        if (isCurrent()) place.replaceChildren(browsed(found));
        return;
      }
      classify(isCurrent);
      const answer = await ask("/search", { method: "POST", body: formOf({ limit: HITS }) });
      if (isCurrent()) place.replaceChildren(answered(answer));
    } catch (problem) {
      if (isCurrent()) failed(place, problem, search, isCurrent);
    } finally {
      if (isCurrent()) busy(false);
    }
  }

  function formOf(fields = {}, { isFiltered = true } = {}) {
    const form = new FormData();
    for (const example of state.examples) {
      if (example.file) form.append(example.isLiked ? "picture" : "unlike_picture", example.file, example.file.name || "picture");
      else form.append(example.isLiked ? "like" : "unlike", example.id);
    }
    const values = { collection: state.collection, ...fields };
    if (isFiltered) Object.assign(values, { text: state.text, label: state.label, source: state.source });
    if (state.crop && canCrop()) values.crop = state.crop.join(",");
    for (const [name, value] of Object.entries(values)) if (value !== "" && value != null) form.append(name, value);
    return form;
  }

  function browsed(found) {
    if (!found.images.length) return make("p", { class: "quiet" }, say("no_hits"));
    return make("div", {},
      make("p", { class: "quiet image-lead" }, say("browse")),
      make("ul", { class: "pictures" }, found.images.map((picture) => card(picture))));
  }

  function answered(answer) {
    const { timing } = answer;
    const rest = Math.max(0, timing.total_ms - timing.decode_ms - timing.embed_ms - timing.milvus_ms);
    const parts = [["decode", timing.decode_ms], ["embed", timing.embed_ms], ["milvus", timing.milvus_ms], ["rest", rest]];
    const bar = make("div", { class: "times", "aria-hidden": "true" },
      parts.map(([name, value]) => {
        const span = make("span", { class: `time-${name}` });
        span.style.width = `${(100 * value) / Math.max(timing.total_ms, 0.001)}%`;
        return span;
      }));
    const legend = make("ul", { class: "times-legend" },
      parts.map(([name, value]) => make("li", {}, make("i", { class: `time-${name}` }), say(`time_${name}`), " ", make("b", {}, milliseconds(value)))));
    return make("div", {},
      make("div", { class: "summary" },
        make("p", { class: "summary-count" }, say("count", { count: number(answer.hits.length) }),
          make("span", { class: "quiet" }, ` · ${answer.collection} · ${answer.encoder}`)),
        make("p", { class: "summary-total" }, say("total", { ms: milliseconds(timing.total_ms) })),
        bar, legend),
      answer.hits.length ? make("ul", { class: "pictures" }, answer.hits.map((hit) => card(hit))) : make("p", { class: "quiet" }, say("no_hits")));
  }

  function card(picture) {
    const title = titleOf(picture);
    const score = picture.score === undefined ? null : make("span", { class: "score", title: say("score", { score: picture.score.toFixed(4) }) }, picture.score.toFixed(2));
    const twin = picture.hash_distance !== undefined && picture.hash_distance !== null && picture.hash_distance <= 4
      ? make("span", { class: "badge is-twin" }, say("twin")) : null;
    return make("li", { class: "picture", "data-image": picture.image_id },
      make("button", { class: "picture-open", type: "button", "aria-label": say("open", { name: title }), onclick: () => view(picture) }, image(picture)),
      make("div", { class: "picture-head" }, make("span", { class: "picture-name", title }, title), score),
      make("div", { class: "picture-facts" }, picture.label ? make("span", { class: "badge" }, picture.label) : null, twin),
      make("div", { class: "picture-actions" }, likeButton(picture, true), likeButton(picture, false),
        picture.score !== undefined && liked().length === 1 ? make("button", { class: "action", type: "button", onclick: () => why(picture) }, say("why")) : null));
  }

  function image(picture, what = "thumbnail") {
    return make("img", { src: fileAddress(picture.image_id, what), alt: titleOf(picture), loading: "lazy", decoding: "async" });
  }

  function likeButton(picture, isLiked) {
    return make("button", {
      class: `action ${isLiked ? "is-more" : "is-less"}`, type: "button", "data-like": isLiked ? "more" : "less",
      "aria-label": `${say(isLiked ? "more" : "less")}: ${titleOf(picture)}`,
      onclick: () => prefer(picture, isLiked),
    }, make("b", { "aria-hidden": "true" }, isLiked ? "+ " : "− "), say(isLiked ? "more_short" : "less_short"));
  }

  /** One more example. The first "more like this" of a browsed or viewed picture is the question itself. */
  function prefer(picture, isLiked) {
    one("#image-view").close();
    state.examples = state.examples.filter((example) => example.id !== picture.image_id);
    state.examples.push({ id: picture.image_id, name: titleOf(picture), isLiked });
    if (!canCrop()) state.crop = null;
    change({ tab: "search" });
    one("#image-examples").scrollIntoView({ block: "nearest", behavior: "smooth" });
  }

  function change(values = {}) {
    Object.assign(state, values);
    writeAddress();
    showTab();
  }

  // ---- examples: chips, and the one that can be cropped --------------------------------------------------------
  function showExamples() {
    const place = one("#image-examples");
    place.replaceChildren(...state.examples.map((example) => {
      const name = example.file?.name || example.name || "";
      const flip = make("button", {
        type: "button", class: "example-sign", "aria-label": say(example.isLiked ? "liked" : "disliked", { name }), title: say("flip"),
        onclick: () => { example.isLiked = !example.isLiked; if (!canCrop()) state.crop = null; change(); },
      }, example.isLiked ? "+" : "−");
      const remove = make("button", {
        type: "button", class: "example-remove", "aria-label": say("remove", { name }),
        onclick: () => { state.examples = state.examples.filter((other) => other !== example); state.crop = null; change(); },
      }, "×");
      return make("li", { class: `example ${example.isLiked ? "is-liked" : "is-disliked"}` }, flip, exampleImage(example), remove);
    }));
    one("#image-clear").hidden = !state.examples.length;
    showCrop();
  }

  function exampleImage(example) {
    if (!example.file) return image({ image_id: example.id, name: example.name });
    const canvas = make("canvas", { role: "img", "aria-label": example.file.name || say("pasted") });
    draw(example, canvas, 96);
    return canvas;
  }

  /** Draws an example; what this browser cannot show (TIFF, say) is searched for all the same. */
  async function draw(example, canvas, sidePx) {
    try {
      example.bitmap ??= await bitmapOf(example);
      const { width, height } = example.bitmap;
      const scale = Math.min(1, sidePx / Math.max(width, height));
      canvas.width = Math.max(1, Math.round(width * scale));
      canvas.height = Math.max(1, Math.round(height * scale));
      canvas.getContext("2d").drawImage(example.bitmap, 0, 0, canvas.width, canvas.height);
    } catch {
      canvas.width = canvas.height = 48;
      canvas.classList.add("is-unshown");
    }
  }

  async function bitmapOf(example) {
    if (example.file) return createImageBitmap(example.file);
    const answer = await fetch(fileAddress(example.id, "original"));
    if (!answer.ok) throw new Error("no picture");
    return createImageBitmap(await answer.blob());
  }

  let cropped;
  function showCrop() {
    const area = one("#image-crop");
    area.hidden = !canCrop();
    one("#image-drop").classList.toggle("is-small", state.examples.length > 0);
    if (!canCrop()) { cropped = undefined; return; }
    const example = liked()[0];
    if (cropped !== example) {
      cropped = example;
      draw(example, one("canvas", area), 640);
    }
    showBox();
  }

  function showBox() {
    const box = one("#image-box");
    box.hidden = !state.crop;
    one("#image-whole").hidden = !state.crop;
    if (!state.crop) return;
    const [left, top, right, bottom] = state.crop;
    Object.assign(box.style, { left: `${left * 100}%`, top: `${top * 100}%`, width: `${(right - left) * 100}%`, height: `${(bottom - top) * 100}%` });
  }

  const clamp = (value, low = 0, high = 1) => Math.min(high, Math.max(low, value));
  const rounded = (value) => Math.round(value * 1000) / 1000;
  let told = 0;
  function setCrop(crop, { isDone = true } = {}) {
    state.crop = crop && crop.map(rounded);
    showBox();
    if (!isDone) return;
    clearTimeout(told);
    told = setTimeout(() => { writeAddress({ isNew: false }); search(); }, 150);
  }

  function listenToCrop(frame) {
    let begin;
    const place = (event) => {
      const within = frame.getBoundingClientRect();
      return [clamp((event.clientX - within.left) / within.width), clamp((event.clientY - within.top) / within.height)];
    };
    const boxTo = ([x, y]) => [Math.min(x, begin[0]), Math.min(y, begin[1]), Math.max(x, begin[0]), Math.max(y, begin[1])];
    const isLarge = (box) => box[2] - box[0] > 0.03 && box[3] - box[1] > 0.03;
    frame.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      event.preventDefault();
      frame.focus();
      frame.setPointerCapture(event.pointerId);
      begin = place(event);
    });
    frame.addEventListener("pointermove", (event) => {
      if (!begin) return;
      const box = boxTo(place(event));
      if (isLarge(box)) setCrop(box, { isDone: false });
    });
    frame.addEventListener("pointerup", (event) => {
      if (!begin) return;
      const box = boxTo(place(event));
      begin = undefined;
      if (isLarge(box)) setCrop(box);
    });
    frame.addEventListener("pointercancel", () => { begin = undefined; });
    frame.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: [-0.05, 0], ArrowRight: [0.05, 0], ArrowUp: [0, -0.05], ArrowDown: [0, 0.05] }[event.key];
      if (event.key === "Escape" && state.crop) setCrop(null);
      if (!steps) return;
      event.preventDefault();
      const [left, top, right, bottom] = state.crop ?? [0.2, 0.2, 0.8, 0.8];
      const [dx, dy] = steps;
      if (event.shiftKey) setCrop([left, top, clamp(right + dx, left + 0.05), clamp(bottom + dy, top + 0.05)]);
      else {
        const x = clamp(dx, -left, 1 - right), y = clamp(dy, -top, 1 - bottom);
        setCrop([left + x, top + y, right + x, bottom + y]);
      }
    });
  }

  // ---- pictures of the person: chosen, dropped, pasted ---------------------------------------------------------
  function take(files) {
    const limit = Number(root.dataset.limitBytes);
    const pictures = [...files].filter((file) => file.size);
    const tooLarge = pictures.find((file) => file.size > limit);
    if (tooLarge) {
      one("#image-results").replaceChildren(notice({ code: "limit", message: say("too_large", { name: tooLarge.name, size: `${Math.round(limit / 1e6)} MB` }), hint: "" }));
      return;
    }
    if (!pictures.length) return;
    // A new picture is a new question; several at once are one question together.
    state.examples = pictures.slice(0, 8).map((file) => ({ file, isLiked: true }));
    state.crop = null;
    change({ tab: "search", text: "" });
  }

  function listenToFiles() {
    const drop = one("#image-drop");
    one("#image-file").addEventListener("change", (event) => { take(event.target.files); event.target.value = ""; });
    addEventListener("dragover", (event) => {
      if (![...(event.dataTransfer?.types ?? [])].includes("Files")) return;
      event.preventDefault();
      drop.classList.add("is-target");
    });
    addEventListener("dragleave", (event) => { if (!event.relatedTarget) drop.classList.remove("is-target"); });
    addEventListener("drop", (event) => {
      drop.classList.remove("is-target");
      if (!event.dataTransfer?.files?.length) return;
      event.preventDefault();
      take(event.dataTransfer.files);
    });
    addEventListener("paste", (event) => { if (event.clipboardData?.files?.length) take(event.clipboardData.files); });
  }

  // ---- classification ------------------------------------------------------------------------------------------
  async function classify(isCurrent) {
    const place = one("#image-classes");
    const mine = liked();
    const facts = collectionNow();
    if (mine.length !== 1 || !facts?.labels.length) { place.replaceChildren(); return; }
    try {
      const form = new FormData();
      if (mine[0].file) form.append("picture", mine[0].file, "picture");
      else form.append("like", mine[0].id);
      if (state.crop && canCrop()) form.append("crop", state.crop.join(","));
      if (state.collection) form.append("collection", state.collection);
      const found = await ask("/classify", { method: "POST", body: form });
      if (isCurrent()) place.replaceChildren(classes(found));
    } catch {
      if (isCurrent()) place.replaceChildren(); // the search beside it says what is wrong
    }
  }

  function classes(found) {
    const rows = found.votes.slice(0, 5).map((vote) => {
      const bar = make("span", {});
      bar.style.width = `${100 * vote.share}%`;
      return make("li", {},
        make("button", { type: "button", class: "class-name", onclick: () => change({ label: vote.label }) }, vote.label),
        make("span", { class: "class-bar", "aria-hidden": "true" }, bar),
        make("span", { class: "class-share" }, `${Math.round(100 * vote.share)} %`));
    });
    return make("section", { class: "panel classes" },
      make("h2", {}, say("classes")),
      make("p", { class: "class-best" }, found.label || say("unsure"),
        found.label ? make("span", { class: "quiet" }, ` ${say("confidence", { share: Math.round(100 * found.confidence) })}`) : null),
      make("ul", {}, rows),
      make("p", { class: "quiet" }, say(found.is_calibrated ? "classes_measured" : "classes_hint")));
  }

  // ---- one picture, large; and why two are the same --------------------------------------------------------------
  async function view(picture) {
    const dialog = one("#image-view");
    const isCurrent = turnOf("view");
    const facts = make("p", { class: "quiet" });
    const actions = make("div", { class: "view-actions" }, likeButton(picture, true), likeButton(picture, false));
    dialog.replaceChildren(
      make("div", { class: "view-head" }, make("h2", {}, titleOf(picture)), closeButton(dialog)),
      make("div", { class: "view-picture" }, image(picture, "original")), facts, actions);
    if (!dialog.open) dialog.showModal();
    try {
      const read = await ask(`/${encodeURIComponent(picture.image_id)}`, { parameters: { collection: state.collection } });
      if (!isCurrent()) return;
      one("h2", dialog).textContent = titleOf(read);
      facts.textContent = [read.label, read.source, `${number(read.width)} × ${number(read.height)}`].filter(Boolean).join(" · ");
      if (read.source === root.dataset.ownSource) actions.append(deleteButton(read, dialog));
    } catch (problem) {
      if (isCurrent()) facts.replaceWith(notice(problem));
    }
  }

  function closeButton(dialog) {
    return make("button", { type: "button", class: "view-close", "aria-label": say("close"), onclick: () => dialog.close() }, "×");
  }

  function deleteButton(picture, dialog) {
    let isArmed = false;
    const button = make("button", { type: "button", class: "action is-delete" }, say("delete"));
    button.addEventListener("click", async () => {
      if (!isArmed) {
        isArmed = true;
        button.textContent = say("delete_confirm");
        button.classList.add("is-armed");
        return;
      }
      button.disabled = true;
      try {
        await ask(`/${encodeURIComponent(picture.image_id)}`, { method: "DELETE", parameters: { collection: state.collection } });
        dialog.close();
        state.examples = state.examples.filter((example) => example.id !== picture.image_id);
        await refresh();
        change();
      } catch (problem) {
        button.replaceWith(notice(problem));
      }
    });
    return button;
  }

  function why(hit) {
    const [mine] = liked();
    const form = new FormData();
    if (mine.file) form.append("picture", mine.file, "picture");
    else form.append("like", mine.id);
    form.append("like", hit.image_id);
    compare(form);
  }

  async function compare(form) {
    const dialog = one("#image-view");
    const isCurrent = turnOf("view");
    if (state.collection) form.append("collection", state.collection);
    const place = make("div", { class: "view-picture" }, make("p", { class: "quiet" }, say("comparing")));
    const sentence = make("p", { class: "match-sentence" });
    dialog.replaceChildren(make("div", { class: "view-head" }, make("h2", {}, say("why_heading")), closeButton(dialog)), sentence, place);
    if (!dialog.open) dialog.showModal();
    try {
      const found = await ask("/compare", { method: "POST", body: form });
      if (!isCurrent()) return;
      const key = found.is_same ? (found.is_mirrored ? "same_mirrored" : "same") : "not_same";
      sentence.textContent = say(key, { count: number(found.inlier_count) });
      sentence.classList.toggle("is-same", found.is_same);
      place.replaceChildren(make("img", { src: `data:image/png;base64,${found.drawing_png}`, alt: sentence.textContent }));
    } catch (problem) {
      if (isCurrent()) place.replaceChildren(notice(problem));
    }
  }

  // ---- long looks at the whole collection ------------------------------------------------------------------------
  async function study(name, place, parameters, show) {
    const isCurrent = turnOf("study");
    const again = () => study(name, place, parameters, show);
    try {
      const found = await ask(`/${name}`, { parameters: { collection: state.collection, ...parameters } });
      if (!isCurrent()) return;
      if (found.state === "done") { show(found.value, found); return; }
      place.replaceChildren(make("div", { class: "none" },
        make("p", { class: "none-title" }, say(`${name}_running`)),
        make("p", { class: "quiet" }, say("running", { seconds: number(Math.round(found.duration_s)) })),
        make("span", { class: "bar is-unknown", role: "progressbar" }, make("span", {}))));
      setTimeout(() => isCurrent() && again(), 800);
    } catch (problem) {
      if (isCurrent()) failed(place, problem, again, isCurrent);
    }
  }

  function showMap() {
    const place = one("#image-map");
    study("map", place, {}, (points) => {
      const canvas = make("canvas", { tabIndex: 0, role: "application", "aria-label": say("map_label", { count: number(points.image_ids.length) }) });
      const tip = make("div", { class: "map-tip", hidden: true });
      const legend = make("ul", { class: "map-legend" });
      place.replaceChildren(make("p", { class: "quiet" }, say("map_hint")), make("div", { class: "map-frame" }, canvas, tip), legend);
      window.studioMap(canvas, tip, legend, points, {
        addressOf: (id) => fileAddress(id, "thumbnail"), open: (id) => view({ image_id: id, name: "" }), other: say("map_other"), none: say("map_unlabelled"),
      });
    });
  }

  function showClusters() {
    const place = one("#image-groups");
    study("clusters", place, { method: state.method }, (found) => {
      const scores = Object.entries(found.scores).filter(([, value]) => value !== null)
        .map(([name, value]) => make("div", {}, make("dt", {}, say(`score_${name}`)), make("dd", {}, value.toFixed(2))));
      place.replaceChildren(
        make("dl", { class: "cluster-scores" }, make("div", {}, make("dt", {}, say("groups")), make("dd", {}, number(found.clusters.length))), scores),
        make("ol", { class: "clusters" }, found.clusters.map(cluster)),
        found.outlier_count ? make("section", { class: "panel" },
          make("h2", {}, say("outliers", { count: number(found.outlier_count) })), make("p", { class: "quiet" }, say("outliers_hint")), strip(found.outlier_ids)) : "");
    });
  }

  function cluster(group) {
    const labels = group.labels.map((label) => make("span", { class: "badge" }, `${label.label} ${number(label.image_count)}`));
    return make("li", { class: "panel cluster" },
      make("button", { type: "button", class: "picture-open medoid", "aria-label": say("medoid"), title: say("medoid"), onclick: () => view({ image_id: group.medoid_id, name: "" }) },
        image({ image_id: group.medoid_id, name: say("medoid") })),
      make("div", { class: "cluster-rest" },
        make("p", { class: "cluster-head" }, make("b", {}, say("pictures", { count: number(group.image_count) })), " ", labels), strip(group.example_ids)));
  }

  function strip(ids) {
    return make("ul", { class: "strip" }, ids.map((id, place) => make("li", {},
      make("button", { type: "button", "aria-label": say("open", { name: number(place + 1) }), onclick: () => view({ image_id: id, name: "" }) }, image({ image_id: id, name: " " })))));
  }

  function showDuplicates() {
    const place = one("#image-twins");
    study("duplicates", place, {}, (found) => {
      const heading = make("p", { class: "summary-count" }, say("twin_groups", { count: number(found.group_count), images: number(found.image_count) }));
      place.replaceChildren(heading, make("ol", { class: "twins" }, found.groups.map((group) => make("li", { class: "panel twin" },
        make("ul", { class: "pictures" }, group.images.map((picture) => make("li", { class: "picture" },
          make("button", { type: "button", class: "picture-open", "aria-label": say("open", { name: titleOf(picture) }), onclick: () => view(picture) }, image(picture)),
          make("div", { class: "picture-head" }, make("span", { class: "picture-name", title: titleOf(picture) }, titleOf(picture))),
          make("p", { class: "quiet" }, `${number(picture.width)} × ${number(picture.height)}`)))),
        make("div", { class: "picture-actions" }, group.evidence.map((name) => make("span", { class: "badge" }, say(`evidence_${name}`))),
          make("button", { type: "button", class: "action", onclick: () => {
            const form = new FormData();
            for (const picture of group.images.slice(0, 2)) form.append("like", picture.image_id);
            compare(form);
          } }, say("why")))))));
    });
  }

  // ---- tabs, filters, collections --------------------------------------------------------------------------------
  function showTab() {
    for (const button of root.querySelectorAll("[role=tab]")) {
      const isChosen = button.dataset.tab === state.tab;
      button.setAttribute("aria-selected", isChosen);
      button.tabIndex = isChosen ? 0 : -1;
      one(`#panel-${button.dataset.tab}`).hidden = !isChosen;
    }
    fillFilters();
    turnOf("study");
    if (state.tab === "search") search();
    else ({ map: showMap, clusters: showClusters, duplicates: showDuplicates })[state.tab]();
  }

  function listenToTabs() {
    const list = one("[role=tablist]", root);
    list.addEventListener("click", (event) => {
      const button = event.target.closest("[role=tab]");
      if (button && button.dataset.tab !== state.tab) change({ tab: button.dataset.tab });
    });
    list.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const next = TABS[(TABS.indexOf(state.tab) + step + TABS.length) % TABS.length];
      change({ tab: next });
      one(`[data-tab=${next}]`, root).focus();
    });
  }

  const collectionNow = () => known.collections.find((facts) => facts.collection === state.collection)
    ?? known.collections.find((facts) => facts.collection === "images") ?? known.collections[0];

  function fillFilters() {
    const facts = collectionNow();
    const options = (select, values, shown, chosen, first) => {
      select.replaceChildren(...(first === null ? [] : [make("option", { value: "" }, first)]),
        ...values.map((value) => make("option", { value }, shown(value))));
      if (chosen && !values.includes(chosen)) select.append(make("option", { value: chosen }, chosen));
      select.value = chosen;
      select.closest("label").hidden = values.length < (first === null ? 2 : 1);
    };
    const counts = new Map((facts?.labels ?? []).map((label) => [label.label, label.image_count]));
    options(one("#image-label"), [...counts.keys()].sort((a, b) => a.localeCompare(b)), (label) => `${label} (${number(counts.get(label) ?? 0)})`, state.label, say("any"));
    options(one("#image-source"), facts?.sources ?? [], (source) => source, state.source, say("any"));
    options(one("#image-collection"), known.collections.map((each) => each.collection), (name) => {
      const each = known.collections.find((other) => other.collection === name);
      return `${name} (${number(each?.image_count ?? 0)})`;
    }, facts?.collection ?? "", null);
    one("#image-text").hidden = !facts?.reads_text;
    one("#image-words").value = state.text;
  }

  async function refresh() {
    try {
      known.collections = (await ask("/collections")).collections;
    } catch {
      return; // whatever is shown says what is missing
    }
    fillFilters();
  }

  function listen() {
    one("#image-label").addEventListener("change", (event) => change({ label: event.target.value }));
    one("#image-source").addEventListener("change", (event) => change({ source: event.target.value }));
    one("#image-collection").addEventListener("change", (event) => {
      state.examples = state.examples.filter((example) => example.file);
      change({ collection: event.target.value, label: "", source: "", crop: null });
    });
    one("#image-method").addEventListener("change", (event) => change({ method: event.target.value }));
    one("#image-text").addEventListener("submit", (event) => { event.preventDefault(); change({ text: one("#image-words").value.trim(), crop: null }); });
    one("#image-clear").addEventListener("click", () => { state.examples = []; change({ crop: null, text: "" }); });
    one("#image-whole").addEventListener("click", () => setCrop(null));
    listenToTabs();
    listenToFiles();
    listenToCrop(one("#image-crop .crop-frame"));
    const dialog = one("#image-view");
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
    addEventListener("popstate", () => { readAddress(); showTab(); });
    setInterval(() => { if (!document.hidden) refresh(); }, 10_000);
  }

  async function begin() {
    words = JSON.parse(root.dataset.words);
    readAddress();
    listen();
    await refresh();
    showTab();
  }

  // NiceGUI puts the page together after it is loaded.
  const waiting = setInterval(() => {
    root = one("#images-app");
    if (!root) return;
    clearInterval(waiting);
    begin();
  }, 30);
})();
