package desired

import "vigil/api/meter"

// Figures tells what of it is counted; see FigureNames.
func (d *Desired) Figures(emit func(meter.Figure)) {
	if d == nil {
		return
	}
	gauge := func(name, help string, v int, labels ...string) {
		emit(meter.Figure{Name: name, Help: help, Value: float64(v), Labels: labels})
	}
	count := func(name, help string, v uint64, labels ...string) {
		emit(meter.Figure{Name: name, Help: help, Value: float64(v), Labels: labels, Counter: true})
	}
	k := d.keeper.Stats()
	gauge("vigil_desired_resources", "Things that documents speak of.", k.Things)
	gauge("vigil_desired_unseen", "Things that could not be looked at.", k.Unseen)
	gauge("vigil_desired_stopped", "Things whose heal stopped itself, since somebody changes them back.", k.Stopped)
	gauge("vigil_desired_suspended", "Suspends that stand.", k.Suspended)
	count("vigil_heal_total", "Heals of drift, by how they ended.", k.Heals, "result", "ok")
	count("vigil_heal_total", "Heals of drift, by how they ended.", k.HealFailures, "result", "failed")
	count("vigil_looks_total", "Comparisons of one thing with its document.", k.Looks)
	for i, v := range d.keeper.Drift() {
		if i == maxDriftSeries {
			break
		}
		gauge("vigil_drift", "1 for each thing that is not as its document says.", 1, "kind", v.Kind, "name", v.Name)
	}
	gauge("vigil_drift_things", "Things that are not as their documents say.", k.Differ)
	if k.Commit != "" {
		gauge("vigil_revision_info", "1; the commit that holds, and how the newest stands.", 1, "commit", k.Commit, "state", string(k.State))
	}
	stalled := 0
	if d.Stalled() != "" {
		stalled = 1
	}
	gauge("vigil_revision_stalled", "1 while what the source has is not what the host follows.", stalled)
	g := d.source.Stats()
	count("vigil_git_fetches_total", "Packs that were sent to git clients.", uint64(g.Fetches))
	count("vigil_git_sent_bytes_total", "Bytes of those packs.", uint64(g.Sent))
	count("vigil_git_pushes_total", "Pushes, by what became of them.", uint64(g.Pushes), "result", "ok")
	count("vigil_git_pushes_total", "Pushes, by what became of them.", uint64(g.Refused), "result", "refused")
	gauge("vigil_git_working", "Clones and pushes under way.", g.Working)
	st := d.repo.Stats()
	gauge("vigil_git_objects", "Objects in the repository.", st.Objects)
	emit(meter.Figure{Name: "vigil_git_bytes", Help: "Size of the repository's packs.", Value: float64(st.Bytes)})
	p := d.spots.Stats()
	gauge("vigil_watched_folders", "Folders that are watched for changes of managed paths.", p.Dirs)
	gauge("vigil_watched_folders_missing", "Folders that should be watched and are not; rounds find changes there.", p.Unwatched)
	count("vigil_watch_overflows_total", "Times that the kernel lost file events.", p.Lost)
}

// FigureNames are all names that Figures uses.
func FigureNames() []string {
	return []string{
		"vigil_desired_resources", "vigil_desired_unseen", "vigil_desired_stopped", "vigil_desired_suspended", "vigil_heal_total", "vigil_looks_total",
		"vigil_drift", "vigil_drift_things", "vigil_revision_info", "vigil_revision_stalled", "vigil_git_fetches_total", "vigil_git_sent_bytes_total",
		"vigil_git_pushes_total", "vigil_git_working", "vigil_git_objects", "vigil_git_bytes", "vigil_watched_folders",
		"vigil_watched_folders_missing", "vigil_watch_overflows_total",
	}
}

// maxDriftSeries bounds how many things are told by name; the count tells them all.
const maxDriftSeries = 200
