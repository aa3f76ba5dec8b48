package check

import "container/heap"

// queue is the jobs by when they are due, the earliest first.
type queue []*job

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i]; q[i].at, q[j].at = i, j }

// Push is for container/heap.
func (q *queue) Push(x any) { j := x.(*job); j.at = len(*q); *q = append(*q, j) }

// Pop is for container/heap.
func (q *queue) Pop() any {
	last := len(*q) - 1
	j := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	j.at = -1
	return j
}

// fix puts a job in its place after its due time changed.
func (q *queue) fix(j *job) {
	if j.at >= 0 && j.at < len(*q) && (*q)[j.at] == j {
		heap.Fix(q, j.at)
	}
}

// rebuild makes the queue of all jobs.
func (q *queue) rebuild(jobs map[string]*job) {
	*q = (*q)[:0]
	for _, j := range jobs {
		j.at = len(*q)
		*q = append(*q, j)
	}
	heap.Init(q)
}
