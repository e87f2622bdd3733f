"""A pretend mail provider that speaks SendGrid's v3 API, with an inbox to look at."""
