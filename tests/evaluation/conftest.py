import importlib.util
import sys
from pathlib import Path

# Test files are imported by path (importmode=importlib), so a helper beside them is named here.
_path = Path(__file__).with_name("judge_server.py")
_spec = importlib.util.spec_from_file_location("judge_server", _path)
_module = importlib.util.module_from_spec(_spec)
sys.modules["judge_server"] = _module
_spec.loader.exec_module(_module)
