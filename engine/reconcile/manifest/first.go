package manifest

import (
	"strings"
)

// First is the files of a first commit: what is where, the choice of documents,
// a folder for the host, and examples that change nothing on any machine. They
// load without issues whatever the local trust lists.
func First(host string) []File {
	folder := "hosts/" + hostFolder(host)
	return []File{
		{"README.md", []byte(firstReadme(folder))},
		{"vigil.yaml", []byte(firstRoot)},
		{"base/README.md", []byte("Documents that every host reads go here.\n")},
		{folder + "/README.md", []byte("Documents for this host alone go here. One of the same kind and name as in base/ replaces it.\n")},
		{folder + "/example-motd.yaml", []byte(firstFile)},
		{folder + "/example-disk.yaml", []byte(firstPolicy)},
	}
}

// hostFolder is a host's name as a folder, which nobody can climb out of.
func hostFolder(host string) string {
	if host == "" || host == "." || host == ".." || strings.HasPrefix(host, ".") || strings.ContainsAny(host, "/\\\x00\n\r\t :") {
		return "this-host"
	}
	return host
}

func firstReadme(folder string) string {
	return `# How the machines should be

vigild reads this repository from its commits and brings the machine there: a push is a change.

- ` + "`vigil.yaml`" + ` says which folders are read by whom.
- ` + "`base/`" + ` is read by every host.
- ` + "`" + folder + "/`" + ` is read by that host alone; a document there replaces the one of the same kind and name in base.
- Folders named ` + "`files`" + ` hold what documents name as ` + "`source`" + `, and no documents.

` + "```sh" + `
git push -o dry-run origin main     # the verdict and the plan; nothing moves
git push -o wait origin main        # stay until it is applied and healthy
vigild drift                        # what differs now
vigild rollback --reason "..."      # back to the last good commit
vigild adopt /etc/motd              # how a thing stands, as a document
` + "```" + `

Which kinds and paths a document may touch is said by the local config of each host, ` + "`[git] kinds`" + ` and ` + "`[git] paths`" + `,
and never by this repository.
`
}

const firstRoot = `apiVersion: vigil/v1
kind: Vigil
metadata: {name: desired}
spec:
  roots: [base]
  # An overlay for some hosts, by name or by labels:
  # environments:
  #   - {name: production, hosts: ["web*"], roots: [env/production]}
`

const firstFile = `# An example that is a comment: take the # away once [git] paths of the local
# config lists /etc. mode: detect reports a difference and heals nothing.
#
# apiVersion: vigil/v1
# kind: File
# metadata: {name: motd}
# spec:
#   path: /etc/motd
#   content: |
#     This machine is kept by vigild.
#   permissions: "0644"
#   mode: detect
`

const firstPolicy = `# An example that only watches: mode: shadow records what it would have done.
# Take the # away and push.
#
# apiVersion: vigil/v1
# kind: Policy
# metadata: {name: root-disk-full}
# spec:
#   match: disk_free_percent
#   fire: value < 5
#   mode: shadow
`
