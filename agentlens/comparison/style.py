"""The report page's style sheet: calm, light and dark, no fonts or pictures from elsewhere."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark;
  --page:#ffffff; --card:#f5f7fa; --ink:#1b2330; --faint:#566172; --line:#d5dbe4;
  --accent:#0b6fb8; --note:#fff7e0; --note-line:#d9a514; --more:#b4530a; --less:#0b6fb8;
  --agent-1:#0b6fb8; --agent-2:#c8600a; --agent-3:#00825e; --agent-4:#9c4a86; }
@media (prefers-color-scheme: dark) { :root {
  --page:#0f1319; --card:#181d26; --ink:#e8ecf2; --faint:#9aa5b5; --line:#333c4a;
  --accent:#6db8f2; --note:#2a2412; --note-line:#d9a514; --more:#f0a04b; --less:#6db8f2;
  --agent-1:#5fb0ee; --agent-2:#f29b4c; --agent-3:#3fc79b; --agent-4:#dd93c8; } }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body { margin: 0; background: var(--page); color: var(--ink); line-height: 1.55;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main, header, footer { max-width: 66rem; margin: 0 auto; padding: 0 1.5rem; }
header { padding-top: 2.5rem; }
.eyebrow { color: var(--faint); font-size: .85rem; letter-spacing: .06em;
  text-transform: uppercase; margin: 0; }
h1 { font-size: 2.1rem; line-height: 1.2; margin: .3rem 0 1rem; overflow-wrap: anywhere; }
h2 { font-size: 1.35rem; margin: 3rem 0 .6rem; padding-top: .4rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.8rem 0 .4rem; }
p { max-width: 46rem; }
.lead { font-size: 1.2rem; line-height: 1.5; max-width: 52rem; }
.quiet { color: var(--faint); font-size: .92rem; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; padding: 0; }
a { color: var(--accent); text-underline-offset: .15em; }
a:focus-visible, summary:focus-visible, [tabindex]:focus-visible {
  outline: 3px solid var(--accent); outline-offset: 3px; border-radius: 3px; }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--page); padding: .5rem 1rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: 1rem;
  margin: 1.6rem 0; }
.card { background: var(--card); border-radius: 10px; padding: 1rem 1.2rem; }
.card .what { color: var(--faint); font-size: .88rem; margin: 0; }
.card .figure { font-size: 1.8rem; font-weight: 650; margin: .1rem 0; line-height: 1.25; }
.card .about { font-size: .9rem; margin: 0; }
.notes { background: var(--note); border-left: 4px solid var(--note-line); border-radius: 4px;
  padding: .5rem 1.2rem; margin: 1.4rem 0; }
.notes ul { padding-left: 1.1rem; margin: .4rem 0; }
.notes li { margin: .3rem 0; max-width: 52rem; }
figure { margin: 1.2rem 0; }
figcaption { color: var(--faint); font-size: .9rem; margin-top: .4rem; max-width: 46rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr));
  gap: 1.2rem; }
.figures figure { margin: 0; }
.shifts { display: grid; grid-template-columns: repeat(auto-fill, minmax(12rem, 1fr));
  gap: 1.2rem; }
.shifts figure { margin: 0; }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .45rem .85rem .45rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
th { font-weight: 600; }
th[scope=row] { min-width: 8rem; overflow-wrap: anywhere; }
td .each { display: block; white-space: nowrap; }
thead th { color: var(--faint); font-size: .85rem; vertical-align: bottom; }
td .range { color: var(--faint); display: block; font-size: .82rem; white-space: nowrap; }
.moments { display: grid; grid-template-columns: repeat(auto-fill, minmax(22rem, 1fr));
  gap: 1.4rem; }
.moments figure { margin: 0; background: var(--card); border-radius: 10px; overflow: hidden; }
.moments img { width: 100%; height: auto; display: block; }
.moments figcaption { padding: .5rem 1rem .8rem; margin: 0; color: var(--ink); }
dl { display: grid; grid-template-columns: minmax(9rem, 14rem) 1fr; gap: .35rem 1.2rem;
  font-size: .92rem; }
dt { font-weight: 600; } dd { margin: 0; overflow-wrap: anywhere; max-width: 46rem; }
details { margin: 1rem 0; } summary { cursor: pointer; font-weight: 600; }
code { font-size: .88em; overflow-wrap: anywhere; }
footer { color: var(--faint); font-size: .88rem; padding-top: 2rem; padding-bottom: 3rem; }
@media (max-width: 34rem) { dl { grid-template-columns: 1fr;
  } .moments { grid-template-columns: 1fr; } }
@media print { .cards, figure, tr { break-inside: avoid; } nav { display: none; } }
"""
