// Keeps the page and its address together, sends forms, and tells the server (by emitEvent) what to show.
(() => {
  "use strict";
  const LIVE = "/text";
  const one = (selector, root = document) => root.querySelector(selector);
  const isLive = () => typeof emitEvent === "function" && window.socket?.connected;
  const busy = (on) => document.documentElement.classList.toggle("is-busy", on);

  // ---- moving through answers without loading the page again -------------------------------------------------
  function go(href, { push = true } = {}) {
    const url = new URL(href, location.href);
    if (url.pathname !== LIVE || location.pathname !== LIVE || !isLive()) {
      location.href = url.href;
      return;
    }
    if (push && url.href !== location.href) history.pushState(null, "", url);
    fillForm(url.searchParams);
    busy(true);
    emitEvent("studio_go", url.search.slice(1));
  }

  function fillForm(params) {
    const form = one("#ask");
    if (!form) return;
    for (const field of form.elements) {
      if (!field.name) continue;
      const value = params.get(field.name) ?? "";
      if (field.type === "radio" || field.type === "checkbox") field.checked = field.value === value;
      else field.value = value;
    }
  }

  function formHref(form) {
    const params = new URLSearchParams();
    for (const [name, value] of new FormData(form)) {
      if (typeof value === "string" && value.trim()) params.append(name, value.trim());
    }
    const kept = new URLSearchParams(location.search).get("collection");
    if (kept && location.pathname === LIVE) params.append("collection", kept);
    const query = params.toString();
    return query ? `${LIVE}?${query}` : LIVE;
  }

  addEventListener("popstate", () => go(location.href, { push: false }));

  addEventListener("click", (event) => {
    const link = event.target.closest?.("a");
    if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
    if (link.dataset.language) {
      event.preventDefault();
      const next = encodeURIComponent(location.pathname + location.search);
      location.href = `/language/${link.dataset.language}?next=${next}`;
    } else if (link.dataset.soft !== undefined) {
      event.preventDefault();
      go(link.href);
      if (link.dataset.similar !== undefined) scrollTo({ top: 0, behavior: "smooth" });
    }
  });

  addEventListener("submit", (event) => {
    if (event.target.id === "ask") {
      event.preventDefault();
      go(formHref(event.target));
      one("#q")?.blur();
    } else if (event.target.id === "add-form") {
      event.preventDefault();
      addDocument(event.target);
    }
  });

  // A changed filter searches at once, when something was asked.
  addEventListener("change", (event) => {
    const form = event.target.form;
    if (form?.id === "ask" && event.target.name !== "q" && form.elements.q.value.trim()) go(formHref(form));
  });

  // ---- documents ---------------------------------------------------------------------------------------------
  async function send(method, path, body) {
    const headers = body ? { "Content-Type": "application/json" } : {};
    const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
    const value = await answer.json();
    if (!answer.ok) throw value;
    return value;
  }

  function failed(problem) {
    const known = problem && problem.code ? problem : { code: "lost", message: "", hint: "", request_id: "" };
    emitEvent("studio_failed", known);
  }

  async function addDocument(form) {
    const button = one("button[type=submit]", form);
    const label = button.textContent;
    button.disabled = true;
    button.textContent = form.dataset.working;
    try {
      const values = Object.fromEntries(new FormData(form));
      const added = await send("POST", "/api/v1/text/documents?wait=true", values);
      emitEvent("studio_added", { ...added, title: values.title || values.text.trim().split("\n")[0].slice(0, 80) });
      form.reset();
    } catch (problem) {
      failed(problem);
    } finally {
      button.disabled = false;
      button.textContent = label;
    }
  }

  addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-delete]");
    if (!button || !armed(button)) return;
    try {
      await send("DELETE", `/api/v1/text/documents/${encodeURIComponent(button.dataset.delete)}?wait=true`);
      button.closest(".hit")?.remove();
      emitEvent("studio_deleted", button.dataset.delete);
    } catch (problem) {
      failed(problem);
      button.disabled = false;
    }
  });

  // The first click asks, the second one means it.
  function armed(button) {
    if (button.classList.contains("is-armed")) {
      button.disabled = true;
      return true;
    }
    button.classList.add("is-armed");
    button.dataset.label = button.textContent;
    button.textContent = button.dataset.confirm;
    return false;
  }

  addEventListener("focusout", (event) => {
    const button = event.target.closest?.(".is-armed");
    if (!button || button.disabled) return;
    button.classList.remove("is-armed");
    button.textContent = button.dataset.label;
  });

  // ---- the index lab -----------------------------------------------------------------------------------------
  let told = 0;
  addEventListener("input", (event) => {
    if (event.target.id !== "lab-recall") return;
    one("#lab-recall-shown").value = Number(event.target.value).toFixed(3);
    clearTimeout(told);
    told = setTimeout(() => {
      const params = new URLSearchParams(location.search);
      params.set("recall", event.target.value);
      history.replaceState(history.state, "", `${location.pathname}?${params}`);
      emitEvent("studio_lab_recall", event.target.value);
    }, 60);
  });

  addEventListener("change", (event) => {
    if (event.target.form?.id === "lab-form" && event.target.name === "data") showFields(event.target.form);
  });

  function showFields(form) {
    for (const label of form.querySelectorAll("[data-lab-for]")) {
      label.hidden = label.dataset.labFor !== form.elements.data.value;
    }
  }

  addEventListener("submit", async (event) => {
    const form = event.target;
    if (form.id !== "lab-form") return;
    event.preventDefault();
    const button = one("button[type=submit]", form);
    const label = button.textContent;
    button.disabled = true;
    button.textContent = form.dataset.working;
    try {
      const values = Object.fromEntries(new FormData(form));
      const begun = await send("POST", "/api/v1/index-lab/comparisons", {
        data: values.data, path: values.path.trim(), collection: values.collection ?? "",
        row_count: Number(values.row_count), dim: Number(values.dim), recall_target: Number(values.recall_target),
        index_types: values.index_types.split(/[\s,]+/).filter(Boolean), with_stopped: values.with_stopped !== "",
      });
      location.href = `/index-lab?id=${begun.comparison_id}`;
    } catch (problem) {
      failed(problem);
      button.disabled = false;
      button.textContent = label;
    }
  });

  addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-lab-cancel]");
    if (!button || !armed(button)) return;
    try {
      await send("POST", `/api/v1/index-lab/comparisons/${encodeURIComponent(button.dataset.labCancel)}/cancel`);
    } catch (problem) {
      failed(problem);
      button.disabled = false;
    }
  });

  // ---- a file dropped on the panel is read here; only its text is sent ---------------------------------------
  addEventListener("dragover", (event) => {
    const panel = event.target.closest?.("#add");
    if (!panel) return;
    event.preventDefault();
    panel.classList.add("is-target");
  });
  addEventListener("dragleave", (event) => event.target.closest?.("#add")?.classList.remove("is-target"));
  addEventListener("drop", async (event) => {
    const panel = event.target.closest?.("#add");
    const file = event.dataTransfer?.files?.[0];
    if (!panel || !file) return;
    event.preventDefault();
    panel.classList.remove("is-target");
    const form = one("#add-form", panel);
    if (file.size > Number(form.dataset.limitBytes)) {
      failed({ code: "limit", message: form.dataset.tooLarge, hint: "", request_id: "" });
      return;
    }
    const text = await file.text();
    form.elements.text.value = /\.html?$/i.test(file.name) ? textOfHtml(text) : text;
    form.elements.title.value = file.name.replace(/\.[^.]+$/, "");
  });

  function textOfHtml(source) {
    // A parsed document is never shown and runs no script.
    const page = new DOMParser().parseFromString(source, "text/html");
    page.querySelectorAll("script, style, nav, template").forEach((node) => node.remove());
    return (page.body?.innerText ?? page.body?.textContent ?? "").replace(/\n{3,}/g, "\n\n").trim();
  }

  // ---- what stays as it is while the server renders again ----------------------------------------------------
  const opened = new Set();
  addEventListener("toggle", (event) => {
    const key = event.target.dataset?.key;
    if (key) opened[event.target.open ? "add" : "delete"](key);
  }, true);
  new MutationObserver(() => {
    opened.forEach((key) => one(`details[data-key="${CSS.escape(key)}"]:not([open])`)?.setAttribute("open", ""));
  }).observe(document, { childList: true, subtree: true });

  // "/" jumps to the question, as on many search pages.
  addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target.closest?.("input, textarea, select, [contenteditable]")) return;
    event.preventDefault();
    one("#q")?.focus();
  });

  // ---- the studio itself went away ---------------------------------------------------------------------------
  let lostSince = 0;
  setInterval(() => {
    const notice = one("#lost");
    if (!notice || !window.socket) return;
    lostSince = window.socket.connected ? 0 : lostSince || performance.now();
    notice.hidden = !lostSince || performance.now() - lostSince < 2500;
  }, 500);

  window.studio = { shown: () => busy(false) };
})();
