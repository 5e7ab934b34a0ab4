"""The report page's style sheet: calm, light and dark, no fonts or pictures from elsewhere.

Narrow pages turn rows of wide tables into blocks of named values; printed pages open what is
folded and let every table break its words, so that no column is lost on A4.
"""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark;
  --page:#ffffff; --card:#f5f7fa; --ink:#1b2330; --faint:#566172; --line:#d5dbe4;
  --accent:#0b6fb8; --note:#fff7e0; --note-line:#d9a514;
  --pass:#12733a; --weak:#8a5a00; --fail:#b3261e;
  --agent-1:#147a3c; --agent-2:#b0308a; --agent-3:#64676d; --agent-4:#6d7f00; }
@media screen and (prefers-color-scheme: dark) { :root {
  --page:#0f1319; --card:#181d26; --ink:#e8ecf2; --faint:#9aa5b5; --line:#333c4a;
  --accent:#6db8f2; --note:#2a2412; --note-line:#d9a514;
  --pass:#48c670; --weak:#e2b440; --fail:#ff8a80;
  --agent-1:#48c670; --agent-2:#f080c4; --agent-3:#969696; --agent-4:#bfd95a; } }
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
  border-top: 1px solid var(--line); break-after: avoid; }
h3 { font-size: 1.05rem; margin: 1.8rem 0 .4rem; break-after: avoid; }
p { max-width: 46rem; overflow-wrap: anywhere; }
.lead { font-size: 1.2rem; line-height: 1.5; max-width: 52rem; }
.quiet { color: var(--faint); font-size: .92rem; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; padding: 0; }
a { color: var(--accent); text-underline-offset: .15em; }
a:focus-visible, summary:focus-visible, video:focus-visible {
  outline: 3px solid var(--accent); outline-offset: 3px; border-radius: 3px; }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--page); padding: .5rem 1rem; }
.badges details { border: 0; margin: .2rem 0; padding: 0; }
.badges summary { line-height: 2; }
.badges .whose { font-weight: 600; margin-right: .6rem; overflow-wrap: anywhere; }
.badges .range { white-space: normal; }
.badge { display: inline-block; border: 1px solid; border-radius: 999px; padding: 0 .65rem;
  margin-right: .4rem; font-size: .88rem; line-height: 1.55; white-space: nowrap; }
.badge.pass { color: var(--pass); } .badge.weak { color: var(--weak); }
.badge.fail { color: var(--fail); } .badge.not-measured { color: var(--faint); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: 1rem;
  margin: 1.6rem 0; }
.card { background: var(--card); border-radius: 10px; padding: 1rem 1.2rem; }
.card .what { color: var(--faint); font-size: .88rem; margin: 0; }
.card .figure { font-size: 1.8rem; font-weight: 650; margin: .1rem 0; line-height: 1.25; }
.card .about { font-size: .9rem; margin: 0; }
.notes { background: var(--note); border-left: 4px solid var(--note-line); border-radius: 4px;
  padding: .5rem 1.2rem; margin: 1.4rem 0; }
.notes ul { padding-left: 1.1rem; margin: .4rem 0; }
.notes li { margin: .3rem 0; max-width: 52rem; overflow-wrap: anywhere; }
figure { margin: 1.2rem 0; }
figcaption { color: var(--faint); font-size: .9rem; margin-top: .4rem; max-width: 46rem;
  overflow-wrap: anywhere; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr));
  gap: 1.2rem; }
.figures figure { margin: 0; }
.videos { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr));
  gap: 1.4rem; }
.videos figure { margin: 0; }
.videos figure:first-child { grid-column: 1 / -1; max-width: 54rem; }
video { width: 100%; height: auto; display: block; background: #0f1319; border-radius: 8px; }
.shifts { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr));
  gap: 1.2rem; }
.shifts figure { margin: 0; }
table { border-collapse: collapse; font-size: .92rem; margin: 1rem 0 1.6rem;
  font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--faint); font-size: .85rem; padding-bottom: .2rem;
  overflow-wrap: anywhere; }
th, td { text-align: left; padding: .4rem 1rem .4rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: break-word; }
th { font-weight: 600; }
thead th { color: var(--faint); font-size: .85rem; vertical-align: bottom; }
.range { color: var(--faint); display: block; font-size: .82rem; font-weight: 400; }
td .range { white-space: nowrap; }
details { margin: .5rem 0; border-bottom: 1px solid var(--line); padding-bottom: .5rem; }
summary { cursor: pointer; overflow-wrap: anywhere; }
details img { max-width: 100%; height: auto; display: block; margin: .7rem 0; border-radius: 8px; }
dl { display: grid; grid-template-columns: minmax(9rem, 14rem) 1fr; gap: .35rem 1.2rem;
  font-size: .92rem; }
dt { font-weight: 600; overflow-wrap: anywhere; }
dd { margin: 0; overflow-wrap: anywhere; max-width: 46rem; }
footer { color: var(--faint); font-size: .88rem; padding-top: 2rem; padding-bottom: 3rem; }
@media screen and (max-width: 40rem) {
  main, header, footer { padding-left: 1rem; padding-right: 1rem; }
  dl { grid-template-columns: 1fr; }
  th, td { padding-right: .6rem; }
  table.rows, .rows tbody, .rows tr, .rows td, .rows th[scope=row], .rows caption {
    display: block; width: 100%; }
  .rows thead { display: none; }
  .rows tr { border-bottom: 1px solid var(--line); padding: .5rem 0; }
  .rows th, .rows td { border: 0; padding: .15rem 0; }
  .rows td { display: grid; grid-template-columns: 9.5rem 1fr; }
  .rows td::before { content: attr(data-name); color: var(--faint); grid-row: span 2; }
  .rows td .range { grid-column: 2; }
}
@page { size: A4; margin: 14mm; }
@media print {
  main, header, footer { max-width: none; padding: 0; }
  body { font-size: 10pt; }
  nav, video, .skip { display: none; }
  h2 { margin-top: 1.4rem; }
  th, td { padding-right: .6rem; }
  .cards { grid-template-columns: repeat(4, 1fr); }
  .shifts { grid-template-columns: repeat(4, 1fr); }
  .card, figure, table, p, dt, dd { break-inside: avoid; }
  h2, h3, h2 + p, h3 + p, caption { break-after: avoid; }
  details::details-content { content-visibility: visible; block-size: auto; }
  details { break-inside: avoid; }
  details img { max-height: 10cm; }
}
"""
