/// How the page looks, by day and by night.
enum PageStyle {
    static let sheet: StaticString = """
        :root{color-scheme:light dark;--back:#fff;--card:#f6f7f9;--rule:#dfe3e8;--text:#1b1f24;--faint:#5b6570;\
        --s1:#1f6feb;--s2:#c2630a;--r1:#1a7f4b;--r2:#8a4fd0}
        @media(prefers-color-scheme:dark){:root{--back:#101318;--card:#191e25;--rule:#2d343d;--text:#e4e8ed;\
        --faint:#98a3af;--s1:#6ba7ff;--s2:#f0a35c;--r1:#5cc98d;--r2:#bd98f2}}
        *{box-sizing:border-box}
        body{margin:0;background:var(--back);color:var(--text);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,\
        "DejaVu Sans",sans-serif}
        main{max-width:800px;margin:0 auto;padding:32px 20px 64px}
        h1{font-size:24px;line-height:1.25;margin:0 0 4px;overflow-wrap:anywhere}
        h2{font-size:17px;margin:36px 0 10px}
        p{margin:0 0 8px;color:var(--faint)}
        .tiles{display:flex;flex-wrap:wrap;gap:12px;margin:24px 0 0}
        .tile{flex:1 1 150px;background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:12px 16px}
        .tile b{display:block;font-size:26px;line-height:1.3;font-weight:600;font-variant-numeric:tabular-nums}
        .tile span{color:var(--faint);font-size:13px;display:block}
        figure{margin:0 0 16px;padding:14px 14px 8px;background:var(--card);border:1px solid var(--rule);border-radius:8px}
        figcaption{display:flex;flex-wrap:wrap;gap:2px 18px;align-items:baseline;margin:0 4px 8px;font-size:13px}
        figcaption .title{font-size:14px;font-weight:600;margin-right:auto}
        .key{color:var(--faint);white-space:nowrap}
        .key i{display:inline-block;width:18px;border-top:2px solid;margin-right:6px;vertical-align:middle}
        .key i.dashed{border-top-style:dashed}
        svg{display:block;width:100%;height:auto}
        svg .grid{stroke:var(--rule);stroke-width:1}
        svg .label{fill:var(--faint);font-size:12px;font-variant-numeric:tabular-nums}
        svg .end{text-anchor:end}
        svg .middle{text-anchor:middle}
        svg .line{fill:none;stroke:currentColor;stroke-width:1.8;stroke-linejoin:round}
        svg .dot{fill:currentColor}
        svg .reference{stroke:currentColor;stroke-width:1.5;stroke-dasharray:6 4}
        svg .highlight{fill:none;stroke:var(--text);stroke-width:1.5}
        .s1{color:var(--s1)}.s2{color:var(--s2)}.r1{color:var(--r1)}.r2{color:var(--r2)}
        .scroll{overflow:auto;max-height:480px;border:1px solid var(--rule);border-radius:8px}
        table{border-collapse:collapse;width:100%;font-size:14px;font-variant-numeric:tabular-nums}
        th,td{text-align:left;padding:6px 14px;border-bottom:1px solid var(--rule);vertical-align:top;overflow-wrap:anywhere}
        th{position:sticky;top:0;background:var(--card);color:var(--faint);font-weight:600;font-size:13px}
        tbody tr:last-child td{border-bottom:0}
        .number{text-align:right;white-space:nowrap}
        .chosen td{background:color-mix(in srgb,var(--s1) 14%,transparent);font-weight:600}
        details{margin:0 0 12px}
        summary{cursor:pointer;color:var(--faint);margin:0 0 8px}
        svg .frame{fill:none;stroke:currentColor;stroke-width:1}
        .small{display:grid;grid-template-columns:repeat(auto-fill,minmax(220px,1fr));gap:10px}
        .small figure{margin:0;padding:8px}
        .small figcaption{overflow-wrap:anywhere}
        @media print{.scroll{max-height:none}}
        """
}
