"""Customer lifetime value: how often people will buy (BG/NBD) and for how much (Gamma-Gamma).

Plain functions on arrays. Fitting is done here, on counts; scoring each person is done in SQL
(`include/sql/scores/clv.sql`).
"""

from kreislauf.clv.bg_nbd import BgNbd, beta_nodes, dropout_nodes, fit_bg_nbd
from kreislauf.clv.gamma_gamma import GammaGamma, fit_gamma_gamma
from kreislauf.clv.likelihood import FitError

__all__ = ["BgNbd", "FitError", "GammaGamma", "beta_nodes", "dropout_nodes", "fit_bg_nbd", "fit_gamma_gamma"]
