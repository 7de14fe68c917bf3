declare module '*.svg' {
  const value: string;
  export default value;
}

declare module '*.css' {
  const text: string;
  export default text;
}
