"""Live muscle activation from body-worn IMUs, without EMG electrodes.

The package is found in two places at once when it runs from a checkout: the
Python sources here and the generated ``msg`` and ``srv`` modules in the colcon
install. ``extend_path`` merges them.
"""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)

__version__ = "0.2.0"
