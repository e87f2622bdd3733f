"""A pretend push service and the browsers at its other end."""
