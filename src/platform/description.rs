//! The description of a node: what it tells of its kernel without privileges, as one JSON file.
//!
//! `tetrafold target record` writes it, `--target` reads it. What could not be read is `null`: unknown, not absent.
//! Holds no time, no host name and no address; the same node gives the same bytes until its kernel changes.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{KernelVersion, Preempt, base64};

/// Rises when a reader of older descriptions would misread a newer one.
pub const SCHEMA_VERSION: u32 = 1;

/// What a node tells of its kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Description {
    pub schema_version: u32,
    /// As `uname -r` prints it.
    pub release: String,
    /// As `uname -m` prints it.
    pub machine: String,
    /// How tasks inside the kernel are preempted.
    #[serde(default)]
    pub preempt: Option<PreemptModel>,
    /// Security modules in their order (/sys/kernel/security/lsm).
    #[serde(default)]
    pub lsm: Option<Vec<String>>,
    #[serde(default)]
    pub features: Features,
    /// Syscall wrappers by their symbols, such as `__x64_sys_openat`, in order.
    #[serde(default)]
    pub syscalls: Option<Vec<String>>,
    /// In order of name.
    #[serde(default)]
    pub tracepoints: Option<Vec<Tracepoint>>,
    /// The kernel's own functions that can be traced (available_filter_functions, without modules), in order.
    #[serde(default)]
    pub functions: Option<Vec<String>>,
    /// Functions of the modules that were loaded, in order.
    #[serde(default)]
    pub module_functions: Option<Vec<String>>,
    /// Type information (/sys/kernel/btf/vmlinux).
    #[serde(default)]
    pub btf: Option<Btf>,
}

/// How tasks inside the kernel are preempted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PreemptModel {
    None,
    Voluntary,
    /// At the next tick.
    Lazy,
    /// Real-time kernels as well.
    Full,
}

/// What the kernel was built with, as its symbols tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Features {
    /// Programs at kprobes can override a call (CONFIG_BPF_KPROBE_OVERRIDE).
    #[serde(default)]
    pub kprobe_override: Option<bool>,
    /// One link serves many kprobes (CONFIG_FPROBE, 5.18 and newer).
    #[serde(default)]
    pub kprobe_multi: Option<bool>,
    /// Programs of kind fmod_ret can be attached (CONFIG_DEBUG_INFO_BTF, CONFIG_BPF_JIT).
    #[serde(default)]
    pub fmod_ret: Option<bool>,
    /// Functions are marked as ones that may fail, syscalls among them (CONFIG_FUNCTION_ERROR_INJECTION).
    #[serde(default)]
    pub error_injection: Option<bool>,
}

/// An event of tracefs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tracepoint {
    /// `subsystem/event`.
    pub name: String,
    /// All of its format, the four common ones first.
    pub fields: Vec<Field>,
}

/// A field of an event's record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Field {
    pub name: String,
    /// As C writes it; of an array with its length.
    pub ty: String,
    pub bytes: u32,
    pub signed: bool,
    /// From the beginning of the record; unknown where an older version described the node.
    #[serde(default)]
    pub offset: Option<u32>,
}

/// A kernel's type information.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Btf {
    /// Of the bytes, in hexadecimal; a file given with `--btf` belongs to the description that names its digest.
    pub sha256: String,
    /// The bytes in base64, unless they were left out.
    #[serde(default)]
    pub data: Option<String>,
}

impl Btf {
    pub fn of(bytes: &[u8], with_data: bool) -> Btf {
        Btf { sha256: digest(bytes), data: with_data.then(|| base64::encode(bytes)) }
    }
}

/// SHA-256 in hexadecimal.
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Description {
    /// # Errors
    /// What is wrong, in a sentence.
    pub fn from_json(text: &str) -> Result<Description, String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Version {
            schema_version: u32,
        }
        // A newer description says so, whatever else it holds.
        let Version { schema_version } = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if schema_version != SCHEMA_VERSION {
            return Err(format!("schema version {schema_version} is not known, only {SCHEMA_VERSION}"));
        }
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    /// One member a line, and one element a line of the lists in it.
    pub fn to_json(&self) -> String {
        let Ok(Value::Object(members)) = serde_json::to_value(self) else { return String::new() };
        let lines = |elements: &[Value]| {
            elements.iter().map(|element| format!("    {element}")).collect::<Vec<_>>().join(",\n")
        };
        let members = members.iter().map(|(key, value)| match value {
            Value::Array(elements) if !elements.is_empty() => {
                format!("  \"{key}\": [\n{}\n  ]", lines(elements))
            }
            value => format!("  \"{key}\": {value}"),
        });
        format!("{{\n{}\n}}\n", members.collect::<Vec<_>>().join(",\n"))
    }

    /// The JSON Schema; the copy in the repository is `description.schema.json` beside this file.
    pub fn schema() -> String {
        let mut schema =
            SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Description>();
        schema.insert("title".into(), "tetrafold target".into());
        serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
    }

    /// The series of the release, if it is written as releases are.
    pub fn version(&self) -> Option<KernelVersion> {
        let mut numbers = self.release.split(['.', '-', '+', '_']);
        let mut number = || numbers.next()?.parse().ok();
        Some(KernelVersion::new(number()?, number()?))
    }

    pub fn tracepoint(&self, name: &str) -> Option<&Tracepoint> {
        self.tracepoints.iter().flatten().find(|tracepoint| tracepoint.name == name)
    }
}

impl From<PreemptModel> for Preempt {
    fn from(model: PreemptModel) -> Preempt {
        match model {
            PreemptModel::None => Preempt::None,
            PreemptModel::Voluntary => Preempt::Voluntary,
            // A tick inside a program is enough.
            PreemptModel::Lazy | PreemptModel::Full => Preempt::Full,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::sample;

    #[test]
    fn a_description_comes_back_and_fits_its_schema() {
        let description = sample::description();
        let text = description.to_json();
        assert_eq!(Description::from_json(&text), Ok(description));
        let schema: Value = serde_json::from_str(&Description::schema()).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let mut value: Value = serde_json::from_str(&text).unwrap();
        assert!(validator.is_valid(&value));
        value["hostname"] = "x".into();
        assert!(!validator.is_valid(&value) && Description::from_json(&value.to_string()).is_err());
    }

    /// Those that the cases of `tests/cases` name.
    #[test]
    fn the_committed_descriptions_are_up_to_date() {
        for (name, description) in [("whole", sample::description()), ("lacking", sample::lacking())] {
            let path = format!("{}/tests/targets/{name}.json", env!("CARGO_MANIFEST_DIR"));
            if std::env::var_os("TETRAFOLD_BLESS").is_some() {
                std::fs::write(&path, description.to_json()).unwrap();
            }
            assert!(std::fs::read_to_string(path).unwrap_or_default() == description.to_json(), "{name}");
        }
    }

    #[test]
    fn what_is_left_out_is_unknown() {
        let text = r#"{"schemaVersion": 1, "release": "6.12.117", "machine": "x86_64"}"#;
        let description = Description::from_json(text).unwrap();
        assert_eq!(description.version(), Some(KernelVersion::new(6, 12)));
        assert_eq!((description.lsm, description.features), (None, Features::default()));
        let newer = Description::from_json(r#"{"schemaVersion": 2, "anything": 1}"#);
        assert_eq!(newer, Err("schema version 2 is not known, only 1".into()));
    }

    #[test]
    fn releases_are_read_as_far_as_they_go() {
        let version =
            |release: &str| Description { release: release.into(), ..Description::default() }.version();
        assert_eq!(version("6.1.0-39-amd64"), Some(KernelVersion::new(6, 1)));
        assert_eq!(version("6.18-rc2"), Some(KernelVersion::new(6, 18)));
        assert_eq!(version("5.15+"), Some(KernelVersion::new(5, 15)));
        for none in ["", "6", "six.one", "6.x"] {
            assert_eq!(version(none), None, "{none}");
        }
    }

    #[test]
    fn the_committed_schema_is_up_to_date() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/platform/description.schema.json");
        tetrafold_artifact::json::assert_committed(file, &Description::schema());
    }
}
