#!/bin/sh
# The demo's agent: a script instead of a coding model. It reads the prompt, takes its time, and changes the clone it
# stands in, as a model would. $DEMO_FILES holds the texts it "thinks up"; $DEMO_STATE lets it fail once; $DEMO_PACE
# slows it down on a slow machine.
set -eu
prompt=$(cat)
work() { # work FROM TO SECONDS TEXT: say progress in steps
    steps=5; step=0
    while [ $step -lt $steps ]; do
        echo "PROGRESS $(( $1 + ($2 - $1) * step / steps )) $4"
        sleep "$(awk "BEGIN { print $3 * $DEMO_PACE / $steps }")"
        step=$((step + 1))
    done
    echo "PROGRESS $2 $4"
}
case "$prompt" in
*"Make the duplicate search faster"*)
    work 0 60 3 "replacing the nested loop by one pass"
    cp "$DEMO_FILES/reports_lib_fast.rs" src/lib.rs
    printf '\nThe duplicate search is one pass over the export.\n' >> README.md
    work 60 100 1.5 "adding a test with a large export"
    ;;
*"Document the fitness API"*)
    work 0 50 4 "reading the code"
    mkdir -p docs
    printf '# Fitness API\n\n| function | gives |\n| --- | --- |\n| `weekly_average` | minutes a workout, rounded down |\n| `calories` | calories of all workouts |\n' > docs/API.md
    awk '/^pub struct/ { print "/// One training session." } /^pub fn weekly_average/ { print "/// Minutes a workout, rounded down." } /^pub fn calories/ { print "/// Calories of all workouts." } { print }' src/lib.rs > src/lib.new
    mv src/lib.new src/lib.rs
    work 50 100 2 "writing docs/API.md"
    ;;
*"Round weekly averages up"*)
    work 0 90 3 "changing the rounding"
    sed 's|total / workouts.len() as u32|(total + workouts.len() as u32 - 1) / workouts.len() as u32|' src/lib.rs > src/lib.new
    mv src/lib.new src/lib.rs
    echo "All tests pass, ready to ship!"
    ;;
*"Handle a week without workouts"*)
    work 0 30 1 "looking up the convention"
    if [ ! -e "$DEMO_STATE/tried" ]; then
        mkdir -p "$DEMO_STATE"; : > "$DEMO_STATE/tried"
        echo "the model service is overloaded, try again later"
        exit 75
    fi
    sed 's|    let total: u32 = workouts.iter().map(.w. w.minutes).sum();|    if workouts.is_empty() {\n        return 0;\n    }\n&|; s|    fn calories_add_up|    fn a_week_off_is_zero() {\n        assert_eq!(weekly_average(\&[]), 0);\n    }\n\n    #[test]\n&|' src/lib.rs > src/lib.new
    mv src/lib.new src/lib.rs
    work 30 100 2 "adding the missing case and its test"
    ;;
*"Build the workout dashboard"*)
    work 0 80 14.6 "core charts working, adding final polish"
    printf '<!doctype html><title>Workouts</title><h1>Workouts</h1><table><tr><th>minutes<th>calories</table>\n' > dashboard.html
    work 80 100 2.4 "checking it on a narrow screen"
    ;;
*)
    echo "I do not know this task."
    exit 1
    ;;
esac
