/*
 * Focal and asymmetric loss of hard labels: single losses for `ByLabel`.
 *
 * With z = s for a positive and -s for a negative, p = sigma(z), q = 1 - p, L = log(1 / p):
 *
 *     F = w q^g L,   dF/dz = -w q^g (q + g p L),   q^g = e^{-g c},   c = log(1 / q)
 *
 * A negative with a margin m, and d = max(sigma(s) - m, 0), a whole power g:
 *
 *     G = d^g log(1 / (1 - d)),   dG/ds = p q d^(g - 1) (g log(1 / (1 - d)) + d / (1 - d))
 *
 * All of it is computed in double, whose roundings are not seen in what is stored. From EDGE on
 * e^{-|s|} is 0 in float, also times n, and |s| is cut there where it is an exponent. A row with a
 * label > 0 at a score of -REACH or less, soft labels or nan gets the value nan.
 */

/* e^-700 is a normal number. */
#define EDGE 700.0

/* e^-x, x >= 0, e^-EDGE beyond. */
__device__ inline double fading(const double x) { return power<Numbers<double>>(-fmin(x, EDGE)); }

struct Single { double loss, slope; };

/* sigma(z) and 1 - sigma(z), from e = e^-|z| */
struct Sigmoid {
    double p, q;
    __device__ Sigmoid(const double z, const double e)
    {
        const double y = 1 / (1 + e);
        p = z > 0 ? y : e * y;
        q = z > 0 ? e * y : y;
    }
};

/* F and dF/dz for w = 1, e = e^-|z| */
__device__ inline Single focal(const double z, const double e, const double gamma)
{
    const Sigmoid at(z, e);
    const double soft = log1p_of(e), cost = z > 0 ? soft : soft - z;
    const double weight = fading(gamma * (z > 0 ? z + soft : soft));
    return {weight * cost, -weight * (at.q + gamma * at.p * cost)};
}

/* nan where there is no answer; the mask -inf, and nothing else, is cut. */
struct HardLabel {
    double x, e;
    bool positive, good;
    __device__ HardLabel(const double s, const double t)
        : x(fmax(s, -3.5e38)), e(fading(fabs(x))), positive(t > 0),
          good((t == 0 || (t == 1 && x > -REACH)) && x < infinity())
    {
        /* fmax takes the other where one is nan */
        good = good && s == s;
    }
    __device__ double told(const Single &one, double &slope) const
    {
        slope = one.slope;
        return good ? one.loss : (double)not_a_number();
    }
};

/* Exponents and weights of positives and of negatives. */
struct Powers {
    typedef double Wide;
    typedef Sum<Numbers<double>> Total;
    double own, other, positive, negative;
    __device__ explicit Powers(const Parameters &given)
        : own(given.a), other(given.b), positive(given.c), negative(given.d) {}

    __device__ double loss_and_slope(const double s, const double t, double &slope) const
    {
        const HardLabel at(s, t);
        const double gamma = at.positive ? own : other, weight = at.positive ? positive : negative;
        const Single one = focal(at.positive ? at.x : -at.x, at.e, gamma);
        const double along = weight * one.slope;
        return at.told({weight * one.loss, at.positive ? along : -along}, slope);
    }
};

/* Weights 1, and negatives with a margin, whose power is whole, from 1 to 8. */
struct Shifted {
    typedef double Wide;
    typedef Sum<Numbers<double>> Total;
    double own, margin;
    int power;
    __device__ explicit Shifted(const Parameters &given)
        : own(given.a), margin(given.c), power((int)given.b) {}

    __device__ double loss_and_slope(const double s, const double t, double &slope) const
    {
        const HardLabel at(s, t);
        return at.told(at.positive ? focal(at.x, at.e, own) : shifted(at.x, at.e), slope);
    }

    /* G and dG/ds */
    __device__ Single shifted(const double s, const double e) const
    {
        const Sigmoid at(s, e);
        if (!(at.p > margin))
            return {0, 0};
        const double d = at.p - margin, odds = d / (at.q + margin), cost = log1p(odds);
        const double square = d * d;
        const int g = power - 1;
        const double lead
            = (g & 1 ? d : 1) * (g & 2 ? square : 1) * (g & 4 ? square * square : 1);
        return {lead * d * cost, at.p * at.q * lead * (power * cost + odds)};
    }
};
