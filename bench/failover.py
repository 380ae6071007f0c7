#!/usr/bin/env python3
"""How long a replica is away when its host is killed: kill -9 of the host process to the actor's HTTP answer through a provider that
lives on another host, and to the replacement being Running in the status.

Usage: bench/failover.py [--kills N] [--build DIR]
The first step of bench/chaos.py."""
import os
import sys

os.execv(sys.executable, [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "chaos.py"), "--only", "failover",
                          *sys.argv[1:]])
