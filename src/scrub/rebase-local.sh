#!/bin/sh
# Moves the branches of a clone from the history that was taken back to the new one, with git alone.
# Usage, in the clone:  sh rebase-local.sh [COMMIT-MAP [REMOTE]]
# COMMIT-MAP is the file that came with this script (old and new id of each commit); REMOTE is origin where nothing is said.
# What a branch was is kept below refs/seal/backup/. Run it again after a conflict was solved or given up.
set -eu
map=${1:-$(dirname "$0")/commit-map}
remote=${2:-origin}
test -r "$map" || { echo "rebase-local: cannot read $map" >&2; exit 2; }
case $map in /*) ;; *) map=$PWD/$map ;; esac
cd "$(git rev-parse --show-toplevel)"
git_dir=$(git rev-parse --git-dir)
for busy in rebase-merge rebase-apply MERGE_HEAD CHERRY_PICK_HEAD REVERT_HEAD BISECT_LOG; do
	if test -e "$git_dir/$busy"; then
		echo "rebase-local: git is in the middle of something ($busy): end it first" >&2
		exit 1
	fi
done
git diff --quiet && git diff --quiet --cached || {
	echo "rebase-local: commit or stash your changes first" >&2
	exit 1
}
backup=refs/seal/backup/adopt-$(date -u +%Y%m%dT%H%M%SZ)-$$
here=$(git symbolic-ref --quiet HEAD || git rev-parse HEAD)
# What became of a commit; of one of which nothing is left, what became of its parent.
now() {
	commit=$1
	while :; do
		new=$(awk -v id="$commit" '$1 == id { print $2; exit }' "$map")
		case $new in
		'') echo "$commit" && return ;;
		*[!0]*) echo "$new" && return ;;
		esac
		commit=$(git rev-parse --quiet --verify "$commit^") || return 0
	done
}
# The first commit, from the tip down, that has another id now: "old new".
last_old() {
	old=$(git rev-list --topo-order "$1" | awk -v map="$map" '
		BEGIN { while ((getline line < map) > 0) { split(line, id, " "); if (id[1] != id[2]) new[id[1]] = 1 } }
		$1 in new { print $1; exit }')
	test -z "$old" || echo "$old $(now "$old")"
}
has_old() {
	test -n "$(last_old "$1")"
}
git fetch --quiet --prune --no-tags "$remote"
failed=0
for branch in $(git for-each-ref --format='%(refname)' refs/heads); do
	name=${branch#refs/heads/}
	pair=$(last_old "$branch")
	test -n "$pair" || continue
	old=${pair% *}
	new=${pair#* }
	test -n "$new" || {
		echo "rebase-local: nothing is left of what $name stands on: it is left as it was" >&2
		failed=1
		continue
	}
	git cat-file -e "$new^{commit}" 2>/dev/null || {
		echo "rebase-local: $remote does not have the new history yet: $new is missing" >&2
		exit 1
	}
	git update-ref "$backup/heads/$name" "$branch"
	if ! git rebase --quiet --rebase-merges --onto "$new" "$old" "$name"; then
		echo "rebase-local: $name stopped at a conflict" >&2
		echo "  solve it, then: git rebase --continue; or give up: git rebase --abort; then run this again" >&2
		exit 1
	fi
	if has_old "$branch"; then
		git reset --quiet --keep "$backup/heads/$name"
		echo "rebase-local: $name is left as it was: it has old history merged in; seal scrub adopt can move it" >&2
		failed=1
		continue
	fi
	echo "moved  $name"
done
case $here in
refs/heads/*) git checkout --quiet "${here#refs/heads/}" ;;
*)
	pair=$(last_old "$here")
	if test -n "$pair"; then here=${pair#* }; fi
	git checkout --quiet --detach "$here"
	;;
esac
for tag in $(git for-each-ref --format='%(refname)' refs/tags); do
	git rev-parse --quiet --verify "$tag^{commit}" >/dev/null || continue
	has_old "$tag" || continue
	git update-ref "$backup/${tag#refs/}" "$tag"
	if git fetch --quiet --no-tags "$remote" "+$tag:$tag" 2>/dev/null; then
		echo "moved  ${tag#refs/}"
	else
		echo "rebase-local: ${tag#refs/} is only here and names old history: delete it, or make it anew" >&2
		failed=1
	fi
done
if git rev-parse --quiet --verify refs/stash >/dev/null && has_old refs/stash; then
	echo "rebase-local: your stashes name old history: apply them, then drop them" >&2
	failed=1
fi
echo "kept   what was before is below $backup"
echo "then   when all is well, remove it for good:"
echo "         git for-each-ref --format='delete %(refname)' refs/seal/backup | git update-ref --stdin"
echo "         git reflog expire --expire-unreachable=now --all && git gc --prune=now"
exit $failed
