"""Multi-class hinge loss with margin 1 of the closest class (Crammer and Singer)."""


def max_hinge(scores, target):
    own = scores.gather(-1, target.unsqueeze(-1))
    leads = (scores - own + 1).scatter(-1, target.unsqueeze(-1), 0)
    return leads.max(dim=-1).values.clamp(min=0)
