// Package zxcvbn stands in for the module of that name. The CLI asks it one thing, in `pulumi config set`: whether a
// plain value under a name such as "password" is strong enough to be a secret. The original reads five dictionaries
// at each start of the CLI for that, half of the time that a start takes. Without dictionaries the answer errs towards
// "a secret", and the CLI then asks for `--secret` or `--plaintext`.
package zxcvbn

import (
	"math"
	"unicode"
)

// Strength is how hard a password is to guess.
type Strength struct {
	Entropy float64 // in bits
}

// PasswordStrength rates a password by its length and by the kinds of characters in it.
func PasswordStrength(password string, _ []string) Strength {
	if password == "" {
		return Strength{}
	}
	length := 0.0
	alphabet := map[string]float64{}
	for _, character := range password {
		length++
		switch {
		case unicode.IsDigit(character):
			alphabet["digits"] = 10
		case unicode.IsLower(character):
			alphabet["lower case"] = 26
		case unicode.IsUpper(character):
			alphabet["upper case"] = 26
		default:
			alphabet["others"] = 33
		}
	}
	size := 0.0
	for _, characters := range alphabet {
		size += characters
	}
	return Strength{Entropy: length * math.Log2(size)}
}
