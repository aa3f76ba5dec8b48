package original

import (
	"regexp"
	"strings"
)

// maxGlob is the longest target.
const maxGlob = 2 << 10

// Glob compiles a target: a name, or a glob of * ? [seq] [!seq], in which * also
// passes a slash. re is nil when every target passes ("", "*", "all"); exact is
// the one name meant, "" for a glob. ok is false for what cannot be understood.
func Glob(target string) (re *regexp.Regexp, exact string, ok bool) {
	if target == "" || target == "*" || target == "all" {
		return nil, "", true
	}
	if len(target) > maxGlob {
		return nil, "", false
	}
	if !strings.ContainsAny(target, "*?[") {
		exact = target
	}
	re, err := regexp.Compile(pattern(target))
	return re, exact, err == nil
}

func pattern(t string) string {
	var re strings.Builder
	re.WriteString("^(?s:")
	for i := 0; i < len(t); i++ {
		switch t[i] {
		case '*':
			re.WriteString(".*")
		case '?':
			re.WriteByte('.')
		case '[':
			end := strings.IndexByte(t[i+1:], ']')
			if end <= 0 {
				re.WriteString(`\[`)
				continue
			}
			set := strings.ReplaceAll(t[i+1:i+1+end], `\`, `\\`)
			if set[0] == '!' {
				set = "^" + set[1:]
			}
			re.WriteString("[" + strings.ReplaceAll(set, "[", `\[`) + "]")
			i += end + 1
		default:
			end := i
			for end < len(t) && !strings.ContainsRune("*?[", rune(t[end])) {
				end++
			}
			re.WriteString(regexp.QuoteMeta(t[i:end]))
			i = end - 1
		}
	}
	re.WriteString(")$")
	return re.String()
}
