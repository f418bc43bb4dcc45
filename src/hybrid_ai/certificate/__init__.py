"""The certificate format: its steps, how they are written and read back."""

from hybrid_ai.certificate.decode import CertificateError as CertificateError
from hybrid_ai.certificate.decode import PlacedStep as PlacedStep
from hybrid_ai.certificate.decode import decode_certificate as decode_certificate
from hybrid_ai.certificate.decode import decode_header as decode_header
from hybrid_ai.certificate.encode import encode_certificate as encode_certificate
from hybrid_ai.certificate.encode import encode_step as encode_step
from hybrid_ai.certificate.steps import ARITHMETICS as ARITHMETICS
from hybrid_ai.certificate.steps import VERSION as VERSION
from hybrid_ai.certificate.steps import Close as Close
from hybrid_ai.certificate.steps import Closing as Closing
from hybrid_ai.certificate.steps import Combination as Combination
from hybrid_ai.certificate.steps import Cut as Cut
from hybrid_ai.certificate.steps import Header as Header
from hybrid_ai.certificate.steps import Leaf as Leaf
from hybrid_ai.certificate.steps import Row as Row
from hybrid_ai.certificate.steps import Split as Split
from hybrid_ai.certificate.steps import SplitDifference as SplitDifference
from hybrid_ai.certificate.steps import SplitNeuron as SplitNeuron
from hybrid_ai.certificate.steps import Step as Step
from hybrid_ai.certificate.steps import Tighten as Tighten
