"""The bound-propagation core: flat networks and the backends that bound their neurons."""

from hybrid_ai.bounds.flat import Arithmetic as Arithmetic
from hybrid_ai.bounds.flat import FlatNetwork as FlatNetwork
from hybrid_ai.bounds.flat import TooManyRoundings as TooManyRoundings
from hybrid_ai.bounds.flat import flatten as flatten
