"""What Home offers to start with: a question, the page that answers it, and on what."""

TOUR = (
    (
        "How does a language model complete a fact?",
        "compare.py",
        {"model": "demo:smollm2", "data": "demo:facts"},
        "SmolLM2 135M on 1,086 prompts such as “The capital of France is”: where do answers part?",
    ),
    (
        "How does a sentence encoder sort films?",
        "compare.py",
        {"model": "demo:minilm", "data": "demo:films"},
        "MiniLM on film titles with genre, year and ratings.",
    ),
    (
        "How deep does a digit go?",
        "compare.py",
        {"model": "demo:efficientnet-lite0", "data": "demo:digits"},
        "EfficientNet-lite0, trained on ImageNet, on handwritten digits it never saw.",
    ),
    (
        "What can a language model lose?",
        "whatif.py",
        {"model": "demo:smollm2", "data": "demo:problems"},
        "SmolLM2 with layers skipped and bits lowered, on worked problems.",
    ),
    (
        "Do film lovers want one thing?",
        "preferences.py",
        {"data": "demo:film-choices", "described": "a model's layer", "model": "demo:minilm"},
        "25,000 choices of 625 viewers, films described by MiniLM's last layer.",
    ),
    (
        "How harsh are those who answer?",
        "raters.py",
        {"data": "demo:verbal-aggression"},
        "316 people on 24 ways to react to a slight: people, ways and answers on one ruler.",
    ),
)
