package rig

// Gates are the tables of `[remedy]` so wide that they hold nothing that is done
// on purpose: hundreds of acts in a minute are what the defaults are there to
// stop. They stand behind `[remedy]` itself. Tests of whole daemons use them too.
const Gates = `
[remedy.limit]
max = 10000
per = "1h"
[remedy.policy_limit]
max = 10000
per = "1h"
[remedy.kind_limit]
max = 10000
per = "1h"
[remedy.storm]
subjects = 10000
within = "2m"
hold = "1s"
[remedy.budget]
points = 10000
refill = 10000
`
