// What the bundler makes of files that are none of JavaScript.
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
