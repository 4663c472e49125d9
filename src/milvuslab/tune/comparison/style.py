"""Look and behaviour of the page: style sheet and script, without anything from a network."""

from __future__ import annotations

__all__ = ["SCRIPT", "STYLE"]

STYLE = """
:root{color-scheme:light;--ink:#1f2937;--soft:#6b7280;--line:#e5e7eb;--accent:#0072b2;--pane:#f8fafc}
*{box-sizing:border-box}
body{font:16px/1.6 system-ui,-apple-system,'Segoe UI','Noto Sans KR',sans-serif;color:var(--ink);background:#fff;
margin:0 auto;max-width:72rem;padding:2.5rem 1.25rem 4rem}
h1{font-size:1.9rem;line-height:1.25;margin:.2rem 0}
h2{font-size:1.3rem;margin:2.6rem 0 .4rem;padding-top:1rem;border-top:1px solid var(--line)}
h3{font-size:1.02rem;margin:1.2rem 0 .3rem}
p{margin:.3rem 0 .8rem;max-width:50rem}.lead{color:var(--soft);font-size:1.05rem}
.answer{background:var(--pane);border-left:4px solid var(--accent);padding:.9rem 1.1rem;font-size:1.1rem;max-width:none}
button{float:right;font:inherit;padding:.3rem .9rem;border:1px solid var(--line);border-radius:.5rem;background:#fff;
cursor:pointer}button:hover,button:focus-visible{border-color:var(--accent)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.92rem;font-variant-numeric:tabular-nums}
th,td{padding:.4rem .75rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th{color:var(--soft);font-weight:600}
th:nth-child(-n+3),td:nth-child(-n+3),.facts th,.facts td{text-align:left}
.facts td{white-space:normal}
tr:hover td{background:var(--pane)}
code{font:.88em ui-monospace,monospace;background:var(--pane);padding:.05rem .3rem;border-radius:.25rem}
.slider{display:flex;gap:1rem;align-items:center}.slider input{flex:1;max-width:30rem;accent-color:var(--accent)}
output{font-weight:600;font-variant-numeric:tabular-nums}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(21rem,1fr));gap:1rem 1.5rem}
.chart{height:26rem}.grid .chart{height:21rem}
html[lang=en] [lang=ko],html[lang=ko] [lang=en]{display:none}
@media print{button,.slider{display:none}h2{break-after:avoid}section{break-inside:avoid}}
"""

SCRIPT = """
const order = ['en', 'ko'];
const say = key => words[key] ? words[key][order.indexOf(document.documentElement.lang)] : key;
function translated(figure) {
  const copy = JSON.parse(JSON.stringify(figure));
  for (const axis of ['xaxis', 'yaxis', 'yaxis2'])
    if (copy.layout[axis]) copy.layout[axis].title.text = say(copy.layout[axis].title.text);
  for (const trace of copy.data) trace.name = say(trace.name);
  return copy;
}
function draw() {
  for (const [name, figure] of Object.entries(figures)) {
    const place = document.getElementById(name);
    if (!place) continue;
    const drawn = translated(figure);
    Plotly.react(place, drawn.data, drawn.layout, {responsive: true, displaylogo: false});
  }
}
function cell(row, text, kind) {
  const made = document.createElement(kind || 'td');
  made.textContent = text;
  row.appendChild(made);
}
function choose() {
  const slider = document.getElementById('wanted');
  if (!slider) return;
  const wanted = Number(slider.value), table = document.getElementById('choice');
  document.getElementById('shown').value = wanted.toFixed(3);
  const rows = results.map(one => {
    const fitting = one.curve.filter(point => point.recall >= wanted && point.qps !== null);
    fitting.sort((a, b) => b.qps - a.qps);
    return {one, point: fitting[0]};
  });
  rows.sort((a, b) => (b.point ? b.point.qps : -1) - (a.point ? a.point.qps : -1));
  table.replaceChildren();
  const head = table.insertRow();
  for (const key of ['type', 'server', 'params', 'recall', 'qps', 'p99', 'memory_formula']) cell(head, say(key), 'th');
  for (const {one, point} of rows) {
    const row = table.insertRow();
    cell(row, one.type); cell(row, one.server);
    if (!point) { cell(row, say('none_reaches')); for (let i = 0; i < 4; i++) cell(row, '-'); continue; }
    cell(row, point.params); cell(row, point.recall.toFixed(4)); cell(row, Math.round(point.qps).toLocaleString());
    cell(row, point.p99 === null ? '-' : point.p99.toFixed(2)); cell(row, one.memory);
  }
}
function speak(language) {
  document.documentElement.lang = language;
  document.getElementById('language').textContent = language === 'en' ? '한국어' : 'English';
  draw(); choose();
}
document.getElementById('language').addEventListener('click',
  () => speak(document.documentElement.lang === 'en' ? 'ko' : 'en'));
const slider = document.getElementById('wanted');
if (slider) slider.addEventListener('input', choose);
speak((navigator.language || 'en').startsWith('ko') ? 'ko' : 'en');
"""
