from eval.evaluate import evaluate
from eval.jobs import load_result
from eval.merge import merge
from terminal_lego.harness.agents.oracle import Oracle

NO_TOOLS = "echo 'E: Unable to locate package x'; echo 0 > /logs/verifier/reward.txt"


def test_parts_of_a_job_run_apart_and_are_taken_up_whole(engine, make_task, tmp_path):
    tasks, job = [make_task("one"), make_task("two", test=NO_TOOLS)], tmp_path / "job"
    for part in (1, 2):
        folder = job / f"shards/{part}-of-2"
        assert evaluate("o", tasks, Oracle, folder, attempts=2, shard=f"{part}/2").trials == 2
    merged = merge(sorted((job / "shards").iterdir()), job)
    assert (merged.trials, merged.solved, merged.errors) == (4, 1, {"VerifierBootstrapError": 2})
    again = evaluate("o", tasks, Oracle, job, attempts=2, retries=1, retry_on=["VerifierBootstrapError"])
    assert (again.trials, again.errors) == (4, merged.errors)
    assert load_result(job) == again
