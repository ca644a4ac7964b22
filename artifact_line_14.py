












from pathlib import Path

import barstack as bs

run = bs.run("study.yaml")
artifact = run.folder / "artifact"
for file in sorted(artifact.rglob("*")):
    if file.is_file():
        print(file.relative_to(artifact))
