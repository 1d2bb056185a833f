# No encryption is switched off, and no certificate left unchecked.
package kos.encryption

import data.kos.values
import rego.v1

deny_off contains {"msg": msg, "path": path} if {
	walk(input, [path, value])
	count(path) > 0
	key := lower(sprintf("%v", [path[count(path) - 1]]))
	key in {"encryption", "encrypted", "encrypt", "tls", "mtls", "ssl"}
	values.is_off(value)
	msg := sprintf("`%s` switches encryption off", [concat(".", [sprintf("%v", [step]) | some step in path])])
}

deny_unchecked contains {"msg": msg, "path": path} if {
	walk(input, [path, value])
	count(path) > 0
	key := lower(sprintf("%v", [path[count(path) - 1]]))
	key in {"insecure", "insecure_skip_verify", "skip_tls_verify", "tls_skip_verify"}
	value in {true, "true", "yes", "enabled"}
	msg := sprintf("`%s` takes any certificate: whoever is in between can read and change all", [key])
}

deny_unchecked contains {"msg": msg, "path": path} if {
	walk(input, [path, value])
	count(path) > 0
	key := lower(sprintf("%v", [path[count(path) - 1]]))
	key in {"verify_tls", "tls_verify", "verify_certificates", "verify_ssl", "ssl_verify"}
	values.is_off(value)
	msg := sprintf("`%s` takes any certificate: whoever is in between can read and change all", [key])
}
