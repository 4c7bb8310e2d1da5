// Package zxcvbn is the same stand-in, under the name that another part of the CLI uses.
package zxcvbn

import "github.com/nbutton23/zxcvbn-go"

// PasswordStrength rates a password by its length and by the kinds of characters in it.
var PasswordStrength = zxcvbn.PasswordStrength
