// Package greeting has the words.
package greeting

// For greets somebody.
func For(name string) string {
	return "good morning, " + name
}
