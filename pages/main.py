"""The list of pages, the login gate and the navigation."""

from pathlib import Path

LOGO = Path(__file__).resolve().parent.parent / "assets" / "logo.svg"


def main() -> None:
    """Draw one page. Streamlit is imported here so that worker processes do not load it."""
    import streamlit as st

    import ui

    st.set_page_config(
        page_title="Penultimate",
        page_icon=LOGO,  # a Material symbol would be fetched from outside
        layout="wide",
        initial_sidebar_state="auto",
    )
    ui.gate()
    st.navigation(
        {
            "": [
                st.Page("home.py", title="Home", icon=":material/home:", default=True),
                st.Page("library.py", title="Library", icon=":material/inventory_2:"),
            ],
            "Look": [
                st.Page("compare.py", title="Compare layers", icon=":material/stacked_line_chart:"),
                st.Page("whatif.py", title="Skip and quantize", icon=":material/tune:"),
            ],
            "Features": [
                st.Page("complexity.py", title="Complexity", icon=":material/landscape:"),
                st.Page("collapse.py", title="Collapse", icon=":material/change_history:"),
            ],
            "People": [
                st.Page("preferences.py", title="Preferences", icon=":material/thumbs_up_down:"),
                st.Page("raters.py", title="Raters", icon=":material/straighten:"),
            ],
        }
    ).run()


if __name__ == "__main__":
    main()
