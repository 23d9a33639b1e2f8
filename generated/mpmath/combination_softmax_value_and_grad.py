# Emitted by lossproof from the derived formula, target mpmath. Rests on the claims
# combination_softmax.value_and_grad, combination_softmax.value, 7359-2, 7359-e,
# combination_softmax.gradient.

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


def combination_softmax_value_and_grad(s, y):
    """Value and gradient of combination_softmax, row by row.

        value = log([z^(sum_l y_l)] prod_l (z e^(s_l) + 1)) - sum_l (s_l y_l)
        gradient_i = e^(s_i) ([z^(sum_l y_l - 1)] prod_l (z (1 - delta_il) e^(s_l) +
            1))/([z^(sum_l y_l)] prod_l (z e^(s_l) + 1)) - y_i

    One row; arrays are lists, a result has one level of list for each output index.
    """
    n = len(s)
    exp_1 = [mpmath.exp(s[i]) for i in range(n)]
    sum_1 = mpmath.fsum(s[i]*y[i] for i in range(n))
    sum_2 = mpmath.fsum(y[i] for i in range(n))
    sum_3 = coefficient(lambda z: product(z*exp_1[i] + 1 for i in range(n)), sum_2)
    sum_4 = mpmath.fsum(y[i] for i in range(n)) - 1
    value = -sum_1 + mpmath.log(sum_3)
    gradient = [-y[i] + mpmath.exp(s[i])*(coefficient(lambda z: product(z*(1 - int(i == l))*exp_1[l] + 1 for l in range(n)), sum_4))/sum_3 for i in range(n)]
    return value, gradient
