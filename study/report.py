"""temporary"""



def write_report(folder):
    p = folder / "report.html"
    p.write_text("x")
    return p
