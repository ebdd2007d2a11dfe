"""The Python client of a Layerpress service, which the command line itself uses."""

from service.client.address import Address, address_from
from service.client.client import Client
from service.client.problems import TokenError
from service.client.wire import Patience

__all__ = ["Address", "Client", "Patience", "TokenError", "address_from"]
