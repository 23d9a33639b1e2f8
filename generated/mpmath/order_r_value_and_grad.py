# Emitted by lossproof from the derived formula, target mpmath. Rests on the claims
# order_r.value_and_grad, order_r.value, order_r.gradient.

import mpmath


class Series:
    """A power series in z, cut off: the list of its coefficients from order 0 on."""

    def __init__(self, terms):
        self.terms = terms

    def like(self, other):
        if isinstance(other, Series):
            return other.terms
        return [mpmath.mpf(other)] + [mpmath.mpf(0)] * (len(self.terms) - 1)

    def __add__(self, other):
        return Series([a + b for a, b in zip(self.terms, self.like(other))])

    def __mul__(self, other):
        a, b = self.terms, self.like(other)
        return Series([mpmath.fdot(a[: m + 1], b[m::-1]) for m in range(len(a))])

    def __neg__(self):
        return Series([-a for a in self.terms])

    def __sub__(self, other):
        return self + -Series(self.like(other))

    def __rsub__(self, other):
        return Series(self.like(other)) - self

    def __rtruediv__(self, other):
        found = []
        for m, above in enumerate(self.like(other)):
            below = mpmath.fdot(self.terms[1 : m + 1], found[::-1])
            found.append((above - below) / self.terms[0])
        return Series(found)

    def __truediv__(self, other):
        return self * (1 / Series(self.like(other)))

    def __pow__(self, power):
        return product(self for _ in range(power))

    __radd__, __rmul__ = __add__, __mul__


def product(factors):
    value = mpmath.mpf(1)
    for factor in factors:
        value = value * factor
    return value


def coefficient(series, order):
    """The coefficient of that order of series(z), 0 for a negative one."""
    order = int(order)
    if order < 0:
        return mpmath.mpf(0)
    z = Series([mpmath.mpf(m == 1) for m in range(order + 1)])
    return z.like(series(z))[order]


def order_r_value_and_grad(s, t, r=2):
    """Value and gradient of order_r, row by row.

        value = log([z^r] (prod_j (z (1 - t_j) e^(s_j) + 1)/(1 - z))) + log([z^r] (prod_j (z
            e^(-s_j) t_j + 1)/(1 - z)))
        gradient_i = (1 - t_i) e^(s_i) ([z^(r - 1)] (prod_j (z (1 - delta_ij) (1 - t_j) e^(s_j)
            + 1)/(1 - z)))/([z^r] (prod_j (z (1 - t_j) e^(s_j) + 1)/(1 - z))) - e^(-s_i) [z^(r -
            1)] (prod_j (z (1 - delta_ij) e^(-s_j) t_j + 1)/(1 - z)) t_i/[z^r] (prod_j (z
            e^(-s_j) t_j + 1)/(1 - z))

    One row; arrays are lists, a result has one level of list for each output index.
    """
    n = len(s)
    exp_1 = [mpmath.exp(s[i]) for i in range(n)]
    exp_2 = [mpmath.exp(-s[i]) for i in range(n)]
    sum_1 = coefficient(lambda z: product(z*(1 - t[i])*exp_1[i] + 1 for i in range(n))/(1 - z), r)
    sum_2 = coefficient(lambda z: product(z*exp_2[i]*t[i] + 1 for i in range(n))/(1 - z), r)
    value = mpmath.log(sum_1) + mpmath.log(sum_2)
    gradient = [-mpmath.exp(-s[i])*coefficient(lambda z: product(z*(1 - int(i == j))*exp_2[j]*t[j] + 1 for j in range(n))/(1 - z), r - 1)*t[i]/sum_2 + (1 - t[i])*mpmath.exp(s[i])*(coefficient(lambda z: product(z*(1 - int(i == j))*(1 - t[j])*exp_1[j] + 1 for j in range(n))/(1 - z), r - 1))/sum_1 for i in range(n)]
    return value, gradient
