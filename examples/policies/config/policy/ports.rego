# About all services together: the package is `combined`.
package combined

import rego.v1

deny contains {"msg": msg, "file": two.path, "path": ["ports"]} if {
	some one in input
	some two in input
	one.path < two.path
	some port in one.contents.ports
	port in two.contents.ports
	msg := sprintf("port %d is taken by %s already", [port, one.path])
}
