"""x"""
import asyncio, os
from tests.cast import World, give_credits
from tests.http.seed import Seed
async def test_x(server, world, seed, conn):
    env=os.environ|{"SCHEMATHESIS_HOOKS":"tests.fuzz.hooks"} if os.path.exists("tests/fuzz/hooks.py") else dict(os.environ)
    p=await asyncio.create_subprocess_exec(".venv/bin/schemathesis","run",f"{server}/api/ext/openapi.json","-H",f"X-API-Key: {world.alice_key}","-n","10","--seed","1","--exclude-by","/x-not-implemented == true","--no-color","--continue-on-failure","--request-timeout","20",*os.environ.get("X","").split(),env=env,stdout=open("/tmp/st.out","w"),stderr=asyncio.subprocess.STDOUT)
    print(await p.wait())
