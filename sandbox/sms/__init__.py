"""A pretend SMS provider that speaks Twilio's Messages API, and people who answer STOP."""
